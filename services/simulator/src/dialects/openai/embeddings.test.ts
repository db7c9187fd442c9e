import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import OpenAI from 'openai';
import type { EmbeddingCreateParams } from 'openai/resources/embeddings';
import type { Simulator } from '../../server.ts';
import { startWithClient } from '../../testing/sdkClient.ts';

const model = 'text-embedding-3-small';
const lengthOf = (vector: readonly number[]) => Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));

describe('embeddings through the OpenAI SDK', () => {
  let simulator: Simulator;
  let client: OpenAI;
  before(async () => {
    ({ simulator, client } = await startWithClient());
  });
  after(() => simulator.close());

  const embed = async (params: Partial<EmbeddingCreateParams> = {}) =>
    await client.embeddings.create({ model, input: 'Sunny day at the beach', ...params });

  it('gives the same unit vector for the same text, base64 and float alike to the bit', async () => {
    const decoded = (await embed()).data[0]?.embedding ?? [];
    const floats = (await embed({ encoding_format: 'float' })).data[0]?.embedding ?? [];
    assert.equal(decoded.length, 1536);
    assert.deepEqual(Array.from(decoded), floats);
    assert.ok(Math.abs(lengthOf(floats) - 1) < 1e-6);
    assert.deepEqual(Float32Array.from(floats), Float32Array.from(decoded));
    const other = (await embed({ input: 'Rain' })).data[0]?.embedding ?? [];
    assert.notDeepEqual(Array.from(other), floats);
    assert.equal(simulator.requests.at(-1)?.path, '/v1/embeddings');
  });

  it('cuts to the dimensions and keeps the length at one', async () => {
    const whole = (await embed({ encoding_format: 'float' })).data[0]?.embedding ?? [];
    const cut = (await embed({ encoding_format: 'float', dimensions: 256 })).data[0]?.embedding ?? [];
    assert.equal(cut.length, 256);
    assert.ok(Math.abs(lengthOf(cut) - 1) < 1e-6);
    const scale = (cut[0] ?? 0) / (whole[0] ?? 1);
    assert.ok(cut.every((value, index) => Math.abs(value - (whole[index] ?? 0) * scale) < 1e-6));
    const large = await embed({ model: 'text-embedding-3-large' });
    assert.equal(large.data[0]?.embedding.length, 3072);
    await assert.rejects(embed({ dimensions: 1537 }), OpenAI.BadRequestError);
    await assert.rejects(embed({ model: 'text-embedding-ada-002', dimensions: 5 }), /does not support specifying/);
  });

  it('takes lists of texts and of tokens, in order, with usage that adds up', async () => {
    const texts = await embed({ input: ['a b', 'c', 'a b'] });
    assert.deepEqual(
      texts.data.map(({ index }) => index),
      [0, 1, 2],
    );
    assert.deepEqual(texts.data[0]?.embedding, texts.data[2]?.embedding);
    assert.deepEqual(texts.usage, { prompt_tokens: 5, total_tokens: 5 });
    assert.deepEqual((await embed({ input: [1, 2, 3] })).usage, { prompt_tokens: 3, total_tokens: 3 });
    const lists = await embed({ input: [[1, 2, 3], [4]] });
    assert.equal(lists.data.length, 2);
    assert.equal(lists.usage.total_tokens, 4);
    assert.deepEqual((await embed({ input: [1, 2, 3] })).data[0]?.embedding, lists.data[0]?.embedding);
  });

  it('refuses what is empty, too many or too long', async () => {
    const inputs: EmbeddingCreateParams['input'][] = [
      '',
      [],
      ['a', ''],
      [[]],
      Array(2049).fill('a'),
      'a '.repeat(9000),
    ];
    inputs.push(Array(50).fill(' a'.repeat(7000)), [1.5]);
    for (const input of inputs) await assert.rejects(embed({ input }), OpenAI.BadRequestError);
    assert.equal((await embed({ input: Array(2048).fill('a'), dimensions: 2 })).data.length, 2048);
    const leaked = { model, input: 'a', providerOptions: {} };
    await assert.rejects(client.embeddings.create(leaked), /Unrecognized request argument supplied: providerOptions/);
  });
});
