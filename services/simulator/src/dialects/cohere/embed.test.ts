import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Cohere, CohereClientV2, CohereError } from 'cohere-ai';
import { type Simulator, startSimulator } from '../../server.ts';
import { clientOf } from '../../testing/sdkClient.ts';

const model = 'embed-v4.0';

describe("embeddings through Cohere's SDK", () => {
  let simulator: Simulator;
  let client: CohereClientV2;
  before(async () => {
    simulator = await startSimulator();
    client = new CohereClientV2({ token: 'co-test-key', baseUrl: simulator.url, maxRetries: 0 });
  });
  after(() => simulator.close());

  const embed = (params: Partial<Cohere.V2EmbedRequest> = {}) =>
    client.embed({
      model,
      texts: ['Hello world'],
      inputType: 'search_document',
      embeddingTypes: ['float'],
      ...params,
    });
  const refused = (params: Partial<Cohere.V2EmbedRequest>, message: RegExp, statusCode = 400) =>
    assert.rejects(embed(params), (error: unknown) => {
      assert.ok(error instanceof CohereError);
      assert.equal(error.statusCode, statusCode);
      assert.match(JSON.stringify(error.body), message);
      return true;
    });

  it('gives the vectors and token counts that the others give', async () => {
    const texts = ['Sunny day at the beach', 'Rain', 'Sunny day at the beach'];
    const answer = await embed({ texts, embeddingTypes: ['float', 'base64'] });
    const other = await clientOf(simulator).embeddings.create({
      model: 'text-embedding-3-small',
      input: texts,
      encoding_format: 'float',
    });
    assert.deepEqual(
      answer.embeddings.float,
      other.data.map(({ embedding }) => embedding),
    );
    assert.deepEqual(
      answer.embeddings.base64?.map((text) =>
        Array.from(new Float32Array(Uint8Array.from(Buffer.from(text, 'base64')).buffer)),
      ),
      answer.embeddings.float,
    );
    assert.equal(answer.meta?.billedUnits?.inputTokens, other.usage.prompt_tokens);
    assert.deepEqual(answer.texts, texts);
    assert.equal(answer.responseType, 'embeddings_by_type');
    assert.equal(simulator.requests.find(({ path }) => path === '/v2/embed')?.items, 3);
    assert.equal(simulator.usage.report().byPath['/v2/embed']?.prompt, other.usage.prompt_tokens);
  });

  it('quantises', async () => {
    const { embeddings } = await embed({
      embeddingTypes: ['float', 'int8', 'uint8', 'binary', 'ubinary'],
      outputDimension: 256,
    });
    const float = embeddings.float?.[0] ?? [];
    const bytes = embeddings.int8?.[0] ?? [];
    assert.equal(float.length, 256);
    assert.deepEqual(
      bytes,
      float.map((value) => Math.round(value * 127)).map((value) => (value === 0 ? 0 : value)),
    );
    assert.deepEqual(
      embeddings.uint8?.[0],
      bytes.map((value) => value + 128),
    );
    const packed = embeddings.ubinary?.[0] ?? [];
    assert.equal(packed.length, 32);
    const bits = packed.map((byte) => byte.toString(2).padStart(8, '0')).join('');
    assert.equal(bits, float.map((value) => (value > 0 ? '1' : '0')).join(''));
    assert.deepEqual(
      embeddings.binary?.[0],
      packed.map((byte) => byte - 128),
    );
  });

  it('cuts what is too long at the end that is asked for, or refuses', async () => {
    const words = Array.from({ length: 600 }, (_, index) => `${index}`).join(' ');
    const inV3 = { model: 'embed-english-v3.0', texts: [words] };
    const cut = await embed(inV3);
    assert.equal(cut.meta?.billedUnits?.inputTokens, 512);
    assert.equal(cut.embeddings.float?.[0]?.length, 1024);
    const head = Array.from({ length: 512 }, (_, index) => `${index}`).join(' ');
    const tail = Array.from({ length: 512 }, (_, index) => ` ${index + 88}`).join('');
    assert.deepEqual(cut.embeddings, (await embed({ ...inV3, texts: [head] })).embeddings);
    assert.deepEqual(
      (await embed({ ...inV3, truncate: 'START' })).embeddings,
      (await embed({ ...inV3, texts: [tail] })).embeddings,
    );
    await refused({ ...inV3, truncate: 'NONE' }, /too long/);
    assert.equal((await embed({ texts: ['a b c d'], maxTokens: 2 })).meta?.billedUnits?.inputTokens, 2);
  });

  it('refuses what Cohere refuses', async () => {
    await refused({ texts: Array(97).fill('a') }, /total number of texts must be at most 96 - received 97/);
    assert.equal((await embed({ texts: Array(96).fill('a') })).embeddings.float?.length, 96);
    await refused({ texts: [] }, /at least one text/);
    await refused({ texts: [''] }, /must not be empty/);
    await refused({ outputDimension: 300 }, /256, 512, 1024, 1536/);
    await refused({ model: 'embed-english-v3.0', outputDimension: 256 }, /not supported/);
    const post = async (body: object, key = 'co-test-key') => {
      const response = await fetch(`${simulator.url}/v2/embed`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}` },
        body: JSON.stringify(body),
      });
      const { message } = (await response.json()) as { message: string };
      return `${response.status} ${message}`;
    };
    const body = { model, texts: ['a'], input_type: 'search_query' };
    assert.match(await post({ model, texts: ['a'] }), /^400 invalid request: valid input_type must be provided/);
    assert.match(await post({ ...body, input: 'a' }), /^422 unknown field: parameter 'input' is not a valid field/);
    assert.match(await post({ ...body, texts: 'a' }), /^400 invalid type: parameter texts is of type string/);
    assert.match(await post({ ...body, texts: [1] }), /^400 invalid type: parameter texts is of type \[\]integer/);
    assert.match(await post({ ...body, input_type: 'query' }), /^400 .*input_type must be one of/);
    assert.match(await post({ ...body, embedding_types: ['double'] }), /^400 .*embedding_types must be one of/);
    assert.match(await post(body, 'sk-invalid'), /^401 invalid api token/);
  });

  it('breaks as asked for, in the text or in the model, and strips the directives', async () => {
    await refused({ texts: ['a', '[[sim status=429 retry-after=3]] b'] }, /try again later/, 429);
    await refused({ model: `${model}+error=overloaded` }, /overloaded/, 503);
    const plain = await embed({ texts: ['b'] });
    const steered = await embed({ texts: ['[[sim ttft=30]] b'] });
    assert.deepEqual(steered.embeddings, plain.embeddings);
    assert.deepEqual(steered.meta?.billedUnits, plain.meta?.billedUnits);
    assert.equal((await embed({ model: `${model}+dims=8` })).embeddings.float?.[0]?.length, 8);
    assert.deepEqual((await embed({ model: `${model}+empty` })).embeddings.float, []);
    const broken = await fetch(`${simulator.url}/v2/embed`, {
      method: 'POST',
      headers: { authorization: 'Bearer co-test-key' },
      body: JSON.stringify({ model: `${model}+malformed=0`, texts: ['b'], input_type: 'search_query' }),
    });
    await assert.rejects(broken.json(), SyntaxError);
  });
});
