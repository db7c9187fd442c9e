import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { findEmbeddingDialect } from '../index.ts';
import { call, encode, mistake, target } from './encode.testing.ts';
import { openaiEmbeddings as openai } from './openai.ts';

const OPENAI = target({ provider: 'openai', model: 'text-embedding-3-small', baseUrl: 'https://api.openai.com/v1' });
const preset = (name: string, model = 'm') => target({ provider: name, model });
const decode = (body: unknown, items = 2) =>
  openai.decodeEmbeddings(
    Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
    call({ items: Array(items).fill('a') }),
    OPENAI,
  );

describe('embeddings of OpenAI', () => {
  it('ask for what the client asked for', () => {
    const { url, headers, body, warnings } = encode(
      openai,
      {
        items: ['a', [1, 2]],
        dimensions: 256,
        format: 'base64',
        user: 'u',
        extra: { x: 1 },
        options: { y: 2, model: 'z' },
      },
      OPENAI,
    );
    assert.equal(url, 'https://api.openai.com/v1/embeddings');
    assert.ok(headers.join(' ').includes('authorization Bearer secret-key'));
    assert.deepEqual(body, {
      x: 1,
      user: 'u',
      model: 'text-embedding-3-small',
      input: ['a', [1, 2]],
      encoding_format: 'base64',
      dimensions: 256,
      y: 2,
    });
    assert.deepEqual(warnings, ['providerOptions.openai.model: may not be set here, dropped']);
    assert.deepEqual(openai.limits(OPENAI), { items: 2048, tokens: 300_000 });
  });

  it('are refused where the model cannot make them', () => {
    const ada = { ...OPENAI, model: 'text-embedding-ada-002' };
    assert.throws(() => encode(openai, { dimensions: 2 }, ada), mistake('dimensions', 'unsupported_value'));
    assert.throws(() => encode(openai, {}, preset('perplexity')), mistake('model', 'unsupported_model'));
  });

  it('of Mistral: texts, floats, one size but of codestral-embed', () => {
    const mistral = preset('mistral', 'mistral-embed');
    const { body, warnings } = encode(openai, { format: 'base64', user: 'u' }, mistral);
    assert.deepEqual(body, { model: 'mistral-embed', input: ['a', 'b'] });
    assert.deepEqual(warnings, ['user: not taken by this provider, dropped']);
    assert.throws(() => encode(openai, { dimensions: 5 }, mistral), mistake('dimensions', 'unsupported_value'));
    assert.throws(() => encode(openai, { items: [[1]] }, mistral), mistake('input', 'unsupported_content'));
    assert.equal(encode(openai, { dimensions: 5 }, preset('mistral', 'codestral-embed')).body.output_dimension, 5);
  });

  it('answer by index, in either form', () => {
    const data = [
      { index: 1, embedding: 'AACAPw==' },
      { index: 0, embedding: [1, 2] },
    ];
    const answer = decode({ data, model: 'm', usage: { prompt_tokens: 3 } });
    assert.deepEqual(answer, {
      vectors: [
        { form: 'json', text: '[1,2]' },
        { form: 'base64', text: 'AACAPw==' },
      ],
      promptTokens: 3,
      responseModel: 'm',
    });
    assert.equal(decode({ data }).promptTokens, null);
  });

  it('are unreadable where anything is amiss', () => {
    const entry = (embedding: unknown, index?: number) => ({ index, embedding });
    for (const body of [
      '',
      '{"data":[',
      '[]',
      'null',
      {},
      { data: [entry([1])] },
      { data: [entry([1]), entry([1]), entry([1])] },
      { data: [entry([1], 0), entry([1], 0)] },
      { data: [entry([1], 0), entry([1], 2)] },
      { data: [entry([1]), {}] },
      { data: [entry([1]), entry([])] },
      '{"data":[{"embedding":[1]},{"embedding":[1e999]}]}',
      { data: [entry([1]), entry([null])] },
      { data: [entry([1]), entry([[1]])] },
      { data: [entry([1]), entry('AAAA')] },
      { data: [entry([1]), entry('%%%%')] },
      { data: [entry([1]), entry(null)] },
      '{"data":[{"embedding":[1]},{"embedding":[1,]}]}',
      '{"data":[{"embedding":[1]},{"embedding":[01]}]}',
    ]) {
      assert.throws(
        () => decode(body),
        { type: 'response_error', code: 'invalid_provider_response' },
        JSON.stringify(body),
      );
    }
  });
});

describe('embeddings of Azure', () => {
  const azure = findEmbeddingDialect('azure') ?? assert.fail();
  it('are where the deployment is, and leave the key to whoever authorizes', () => {
    const dated = target({ baseUrl: 'https://r', model: 'dep', settings: { apiVersion: '2024-10-21' } });
    const { url, headers, body } = encode(azure, { items: [[1]], format: 'base64' }, dated);
    assert.equal(url, 'https://r/openai/deployments/dep/embeddings?api-version=2024-10-21');
    assert.ok(!headers.join(' ').includes('secret-key'));
    assert.deepEqual(body, { model: 'dep', input: [[1]], encoding_format: 'base64' });
    assert.equal(encode(azure, {}, { ...dated, settings: {} }).url, 'https://r/openai/v1/embeddings');
  });
});
