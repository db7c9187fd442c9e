import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type EmbedRequest, VoyageAIClient, VoyageAIError } from 'voyageai';
import { type Simulator, startSimulator } from '../../server.ts';
import { clientOf } from '../../testing/sdkClient.ts';

const model = 'voyage-3.5';

describe("embeddings through Voyage's SDK", () => {
  let simulator: Simulator;
  let client: VoyageAIClient;
  before(async () => {
    simulator = await startSimulator();
    client = new VoyageAIClient({ apiKey: 'pa-test-key', environment: `${simulator.url}/v1`, maxRetries: 0 });
  });
  after(() => simulator.close());

  const embed = (params: Partial<EmbedRequest> = {}) => client.embed({ model, input: 'Hello world', ...params });
  const refused = (params: Partial<EmbedRequest>, message: RegExp, statusCode = 400) =>
    assert.rejects(embed(params), (error: unknown) => {
      assert.ok(error instanceof VoyageAIError);
      assert.equal(error.statusCode, statusCode);
      assert.match(JSON.stringify(error.body), message);
      return true;
    });
  const post = async (body: object, path = '/voyage/v1/embeddings', key = 'pa-test-key') => {
    const response = await fetch(simulator.url + path, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}` },
      body: JSON.stringify(body),
    });
    return { status: response.status, body: JSON.parse(await response.text()) };
  };

  it('gives the vectors and token counts that the others give', async () => {
    const input = ['Sunny day at the beach', 'Rain'];
    const answer = await embed({ input, inputType: 'document' });
    const other = await clientOf(simulator).embeddings.create({
      model: 'text-embedding-3-small',
      input,
      encoding_format: 'float',
      dimensions: 1024,
    });
    assert.deepEqual(
      answer.data?.map(({ object, index, embedding }) => ({ object, index, embedding })),
      other.data,
    );
    assert.deepEqual([answer.object, answer.model], ['list', model]);
    assert.equal(answer.usage?.totalTokens, other.usage.total_tokens);
    assert.deepEqual(
      simulator.requests.map(({ items, path }) => [items, path]),
      [
        [2, '/v1/embeddings'],
        [2, '/v1/embeddings'],
      ],
    );
  });

  it('has a path of its own, base64 of every type, and sizes', async () => {
    const asked = { model, input: 'Hello world', output_dimension: 256 };
    const float = (await post(asked)).body.data[0].embedding;
    assert.equal(float.length, 256);
    const packed = (await post({ ...asked, encoding_format: 'base64' })).body.data[0].embedding;
    assert.deepEqual(Array.from(new Float32Array(Uint8Array.from(Buffer.from(packed, 'base64')).buffer)), float);
    const bytes = (await post({ ...asked, output_dtype: 'int8' })).body.data[0].embedding;
    const packedBytes = (await post({ ...asked, output_dtype: 'int8', encoding_format: 'base64' })).body.data[0]
      .embedding;
    assert.deepEqual(Array.from(new Int8Array(Buffer.from(packedBytes, 'base64'))), bytes);
    assert.equal((await post({ ...asked, output_dtype: 'ubinary' })).body.data[0].embedding.length, 32);
  });

  it('refuses what Voyage refuses', async () => {
    await refused({ input: Array(1001).fill('a') }, /batch size limit is 1000. Your batch size is 1001/);
    await refused({ input: [] }, /empty strings or empty lists/);
    await refused({ input: ['a', ''] }, /empty strings or empty lists/);
    await refused({ outputDimension: 300 }, /Supported values are \[256, 512, 1024, 2048\]/);
    await refused({ model: 'voyage-law-2', outputDimension: 256 }, /Supported values are \[1024\]/);
    const long = ' a'.repeat(30_000);
    await refused(
      { model: 'voyage-3-large', input: Array(5).fill(long) },
      /max allowed tokens per submitted batch is 120000. Your batch has 150000 tokens/,
    );
    await refused({ input: ' a'.repeat(40_000), truncation: false }, /index 0 .* context window of 32000 tokens/);
    assert.equal((await embed({ input: ' a'.repeat(40_000) })).usage?.totalTokens, 32_000);
    const details = async (extra: object) => (await post({ model, input: 'a', ...extra })).body.detail;
    assert.equal(await details({ dimensions: 256 }), "Argument 'dimensions' is not supported by our API");
    assert.match(await details({ encoding_format: 'float' }), /encoding_format/);
    assert.match(await details({ input: [1, 2] }), /string or a list of strings/);
    assert.match(await details({ input_type: 'search' }), /input_type/);
    assert.equal((await post({ model, input: 'a' }, '/voyage/v1/embeddings', 'sk-invalid')).status, 401);
    assert.equal((await post({ model, input: 'a' }, '/voyage/v1/rerank')).status, 404);
  });

  it('breaks as asked for', async () => {
    simulator.faults.add({
      match: { model, path: '/v1/embeddings' },
      fault: { status: 429, 'retry-after': 2 },
      times: 1,
    });
    await refused({}, /rate limited/, 429);
    assert.equal((await embed()).data?.length, 1);
    await refused({ input: '[[sim error=server]] a' }, /Internal server error/, 500);
    await refused({ model: `${model}+foo=1` }, /Unknown simulator directive/);
  });
});
