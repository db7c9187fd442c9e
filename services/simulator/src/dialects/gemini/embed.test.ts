import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ApiError, type EmbedContentConfig, GoogleGenAI } from '@google/genai';
import { OAuth2Client } from 'google-auth-library';
import { type Simulator, startSimulator } from '../../server.ts';
import { clientOf } from '../../testing/sdkClient.ts';

const model = 'gemini-embedding-001';

describe("embeddings through Google's SDK", () => {
  let simulator: Simulator;
  let client: GoogleGenAI;
  let vertex: GoogleGenAI;
  before(async () => {
    simulator = await startSimulator();
    client = new GoogleGenAI({ apiKey: 'AIza-test-key', httpOptions: { baseUrl: simulator.url } });
    const authClient = new OAuth2Client();
    authClient.setCredentials({ access_token: 'ya29.test-token', expiry_date: Date.now() + 3_600_000 });
    vertex = new GoogleGenAI({
      vertexai: true,
      project: 'p1',
      location: 'us-east5',
      googleAuthOptions: { authClient },
      httpOptions: { baseUrl: simulator.url },
    });
  });
  after(() => simulator.close());

  const embed = (contents: string | string[], config: EmbedContentConfig = {}, name = model, through = client) =>
    through.models.embedContent({ model: name, contents, config });
  const others = async (input: string[], dimensions: number) => {
    const { data, usage } = await clientOf(simulator).embeddings.create({
      model: 'text-embedding-3-large',
      input,
      dimensions,
      encoding_format: 'float',
    });
    return { vectors: data.map(({ embedding }) => embedding), tokens: usage.prompt_tokens };
  };
  const refused = (asked: Promise<unknown>, message: RegExp, status = 400) =>
    assert.rejects(asked, (error: unknown) => {
      assert.ok(error instanceof ApiError);
      assert.equal(error.status, status);
      assert.match(error.message, message);
      return true;
    });
  const post = async (path: string, body: object) => {
    const response = await fetch(simulator.url + path, {
      method: 'POST',
      headers: { 'x-goog-api-key': 'AIza-test-key', authorization: 'Bearer ya29.test-token' },
      body: JSON.stringify(body),
    });
    return { status: response.status, body: JSON.parse(await response.text()) };
  };

  it('gives the vectors and token counts that the others give', async () => {
    const texts = ['Sunny day at the beach', 'Rain'];
    const expected = await others(texts, 3072);
    const answer = await embed(texts, { taskType: 'RETRIEVAL_DOCUMENT', title: 'Weather' });
    assert.deepEqual(
      answer.embeddings?.map(({ values }) => values),
      expected.vectors,
    );
    assert.equal(answer.usageMetadata?.promptTokenCount, expected.tokens);
    const record = simulator.requests.at(-1);
    assert.deepEqual([record?.path, record?.items], [`/v1/models/${model}:batchEmbedContents`, 2]);
    assert.equal(simulator.usage.report().byModel[model]?.prompt, expected.tokens);
    const small = await embed(texts, { outputDimensionality: 8 });
    assert.deepEqual(
      small.embeddings?.map(({ values }) => values),
      (await others(texts, 8)).vectors,
    );
  });

  it('embeds one content with embedContent', async () => {
    const { vectors } = await others(['Rain'], 768);
    const { body } = await post('/v1beta/models/text-embedding-004:embedContent', {
      content: { parts: [{ text: 'Rain' }] },
    });
    assert.deepEqual(body.embedding.values, vectors[0]);
    assert.equal(simulator.requests.at(-1)?.items, 1);
  });

  it('refuses what the Gemini API refuses', async () => {
    await refused(embed(Array(101).fill('a')), /at most 100 requests can be in one batch/);
    assert.equal((await embed(Array(100).fill('a'), { outputDimensionality: 1 })).embeddings?.length, 100);
    await refused(embed(['a', '']), /empty Part/);
    await refused(embed('a', { outputDimensionality: 3073 }), /between 1 and 3072/);
    await refused(embed('a', { taskType: 'SEARCH' }), /task_type/);
    const batch = async (request: object) =>
      (await post(`/v1beta/models/${model}:batchEmbedContents`, { requests: [request] })).body.error.message;
    const content = { parts: [{ text: 'a' }] };
    assert.match(await batch({ content }), /requests\[0\]\.model: must not be empty/);
    assert.match(await batch({ content, model: 'models/other' }), /must match the model/);
    assert.match(await batch({ content, model: `models/${model}`, dimensions: 5 }), /Unknown name "dimensions"/);
    assert.equal((await post(`/v1beta/models/${model}:predict`, { instances: [{ content: 'a' }] })).status, 404);
  });

  it('serves Vertex predict: one text of Gemini models, 250 of the others, 20,000 tokens', async () => {
    const texts = ['Sunny day at the beach', 'Rain'];
    const expected = await others(texts, 768);
    const answer = await embed(texts, { taskType: 'CLUSTERING' }, 'text-embedding-005', vertex);
    const { body } = await post(
      '/v1/projects/p1/locations/us-east5/publishers/google/models/text-embedding-005:predict',
      {
        instances: texts.map((content) => ({ content, task_type: 'CLUSTERING' })),
      },
    );
    assert.deepEqual(
      body.predictions.map(({ embeddings }: { embeddings: { values: number[] } }) => embeddings.values),
      expected.vectors,
    );
    const counts = body.predictions.map(
      ({ embeddings }: { embeddings: { statistics: { token_count: number } } }) => embeddings.statistics.token_count,
    );
    assert.equal(counts[0] + counts[1], expected.tokens);
    assert.equal(typeof answer.sdkHttpResponse, 'object');
    assert.equal(simulator.requests.at(-1)?.items, 2);
    await refused(embed(['a', 'b'], {}, model, vertex), /1 instance\(s\) is allowed per prediction. Actual: 2/);
    await refused(embed(Array(251).fill('a'), {}, 'text-embedding-005', vertex), /250 instance\(s\) is allowed/);
    await refused(
      embed(Array(11).fill(' a'.repeat(2000)), {}, 'text-embedding-005', vertex),
      /input token count is 22000 but the model supports up to 20000/,
    );
    await refused(
      embed(' a'.repeat(2049), { autoTruncate: false }, model, vertex),
      /input token count is 2049 but the model supports up to 2048/,
    );
    assert.equal((await embed(' a'.repeat(2049), {}, model, vertex)).sdkHttpResponse !== undefined, true);
  });

  it('serves newer Gemini models on Vertex with embedContent', async () => {
    const path = '/v1/projects/p1/locations/global/publishers/google/models/gemini-embedding-2:embedContent';
    const { body } = await post(path, {
      content: { parts: [{ text: 'Rain' }] },
      embedContentConfig: { outputDimensionality: 8, autoTruncate: false },
    });
    const { vectors, tokens } = await others(['Rain'], 8);
    assert.deepEqual(body.embedding.values, vectors[0]);
    assert.deepEqual([body.usageMetadata.promptTokenCount, body.truncated], [tokens, false]);
    await embed('Rain', { outputDimensionality: 8 }, 'gemini-embedding-2', vertex);
    assert.match(simulator.requests.at(-1)?.path ?? '', /gemini-embedding-2:embedContent$/);
    assert.deepEqual([simulator.requests.at(-1)?.status, simulator.requests.at(-1)?.items], [200, 1]);
  });

  it('breaks as asked for, in the text, in the model or from outside', async () => {
    await refused(embed(['a', '[[sim status=429 retry-after=2]] b']), /RESOURCE_EXHAUSTED/, 429);
    await refused(embed('a', {}, `${model}+error=overloaded`), /UNAVAILABLE/, 503);
    await refused(embed('a', {}, `${model}+status=429`, vertex), /RESOURCE_EXHAUSTED/, 429);
    await refused(
      embed('[[sim error=server for=text-embedding-005]] a', {}, 'text-embedding-005', vertex),
      /INTERNAL/,
      500,
    );
    assert.equal((await embed('[[sim error=server for=other]] a')).embeddings?.length, 1);
    assert.deepEqual((await embed(['[[sim salt=x]] a'])).embeddings, (await embed(['a'])).embeddings);
    assert.equal((await embed('a', {}, `${model}+dims=4`)).embeddings?.[0]?.values?.length, 4);
  });
});
