import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Target } from '../dialect.ts';
import type { EmbeddingDialect } from '../embedding-dialect.ts';
import { findEmbeddingDialect } from '../index.ts';
import { call, encode, mistake, target } from './encode.testing.ts';

const dialect = (name: string): EmbeddingDialect => findEmbeddingDialect(name) ?? assert.fail(name);
const to = (name: string, model: string): [EmbeddingDialect, Target] => [
  dialect(name),
  target({ provider: name, model, settings: { project: 'p', location: 'l' } }),
];
const body = ([language, at]: [EmbeddingDialect, Target], fields: Parameters<typeof call>[0]) =>
  encode(language, fields ?? {}, at).body;

const GEMINI = to('gemini', 'gemini-embedding-001');
const VERTEX = to('vertex', 'text-embedding-005');
const TITAN = to('bedrock', 'amazon.titan-embed-text-v2:0');
const BEDROCK_COHERE = to('bedrock', 'us.cohere.embed-v4:0');
const COHERE = to('cohere', 'embed-v4.0');
const VOYAGE = to('voyage', 'voyage-3.5');

describe('embeddings of other languages', () => {
  it('are asked for in each of them', () => {
    const wishes = { dimensions: 256, extra: { input_type: 'search_query' } };
    const content = (text: string) => ({
      model: 'models/gemini-embedding-001',
      content: { parts: [{ text }] },
      taskType: 'RETRIEVAL_QUERY',
      outputDimensionality: 256,
    });
    assert.deepEqual(body(GEMINI, wishes), { requests: [content('a'), content('b')] });
    assert.deepEqual(body(VERTEX, wishes), {
      instances: [
        { content: 'a', task_type: 'RETRIEVAL_QUERY' },
        { content: 'b', task_type: 'RETRIEVAL_QUERY' },
      ],
      parameters: { outputDimensionality: 256 },
    });
    assert.deepEqual(body(to('vertex', 'gemini-embedding-2'), { items: ['a'], dimensions: 9 }), {
      content: { parts: [{ text: 'a' }] },
      embedContentConfig: { outputDimensionality: 9 },
    });
    const titan = { items: ['a'], dimensions: 512, extra: { normalize: false } };
    assert.deepEqual(body(TITAN, titan), { inputText: 'a', dimensions: 512, normalize: false });
    const cohere = {
      texts: ['a', 'b'],
      input_type: 'search_query',
      embedding_types: ['float'],
      output_dimension: 256,
    };
    assert.deepEqual(body(BEDROCK_COHERE, wishes), cohere);
    assert.deepEqual(body(COHERE, { ...wishes, format: 'base64' }), { model: 'embed-v4.0', ...cohere });
    assert.equal(body(COHERE, {}).input_type, 'search_document');
    const voyage = { model: 'voyage-3.5', input: ['a', 'b'], input_type: 'query', output_dimension: 256 };
    assert.deepEqual(body(VOYAGE, wishes), voyage);
    assert.deepEqual(body(VOYAGE, { ...wishes, format: 'base64' }), { ...voyage, encoding_format: 'base64' });
    const ints = { format: 'base64', extra: { output_dtype: 'int8' } } as const;
    assert.equal(body(VOYAGE, ints).encoding_format, undefined);
  });

  it('have their addresses', () => {
    const url = ([language, at]: [EmbeddingDialect, Target], items = ['a']) =>
      encode(language, { items }, at).url.replace('http://127.0.0.1:1', '');
    assert.equal(url(GEMINI), '/v1beta/models/gemini-embedding-001:batchEmbedContents');
    assert.equal(url(VERTEX), '/v1/projects/p/locations/l/publishers/google/models/text-embedding-005:predict');
    assert.match(url(to('vertex', 'gemini-embedding-2')), /gemini-embedding-2:embedContent$/);
    assert.equal(url(TITAN), '/model/amazon.titan-embed-text-v2%3A0/invoke');
    assert.equal(url(COHERE), '/v2/embed');
    assert.equal(url(VOYAGE), '/embeddings');
  });

  it('have their limits', () => {
    const limits = ([language, at]: [EmbeddingDialect, Target]) => Object.values(language.limits(at));
    assert.deepEqual(limits(GEMINI), [100, 0]);
    assert.deepEqual(limits(VERTEX), [250, 20_000]);
    assert.equal(limits(to('vertex', 'gemini-embedding-001'))[0], 1);
    assert.equal(limits(TITAN)[0], 1);
    assert.equal(limits(BEDROCK_COHERE)[0], 96);
    assert.equal(limits(COHERE)[0], 96);
    assert.deepEqual(limits(VOYAGE), [1000, 320_000]);
    assert.deepEqual(limits(to('voyage', 'voyage-3.5-lite')), [1000, 1_000_000]);
    assert.deepEqual(limits(to('voyage', 'voyage-3-large')), [1000, 120_000]);
  });

  it('refuse what they cannot take, and name what they drop', () => {
    for (const place of [GEMINI, VERTEX, TITAN, BEDROCK_COHERE, COHERE, VOYAGE]) {
      const [language, at] = place;
      const tokens = () => encode(language, { items: [[1, 2]] }, at);
      assert.throws(tokens, mistake('input', 'unsupported_content'), language.name);
      const { warnings } = encode(language, { items: ['a'], user: 'u', extra: { odd: 1, none: null } }, at);
      assert.deepEqual(warnings, [
        'odd: not taken by this provider, dropped',
        'user: not taken by this provider, dropped',
      ]);
    }
    for (const place of [
      TITAN,
      BEDROCK_COHERE,
      COHERE,
      VOYAGE,
      to('cohere', 'embed-english-v3.0'),
      to('bedrock', 'cohere.embed-english-v3'),
      to('bedrock', 'amazon.titan-embed-text-v1'),
      to('voyage', 'voyage-law-2'),
    ]) {
      const wrong = () => encode(place[0], { items: ['a'], dimensions: 300 }, place[1]);
      assert.throws(wrong, mistake('dimensions', 'unsupported_value'), place[1].model);
    }
    const types = { extra: { embedding_types: ['float', 'int8'] } };
    assert.throws(() => body(COHERE, types), mistake('embedding_types', 'unsupported_value'));
    assert.throws(() => body(to('bedrock', 'amazon.nova-x'), { items: ['a'] }), mistake('model', 'unsupported_model'));
  });

  it('count tokens where they do', () => {
    const count = ([language, at]: [EmbeddingDialect, Target], answer: object) =>
      language.decodeEmbeddings(Buffer.from(JSON.stringify(answer)), call({ items: ['a'] }), at).promptTokens;
    const values = [0.5];
    const predictions = [{ embeddings: { values, statistics: { token_count: 4 } } }];
    assert.equal(count(VERTEX, { predictions }), 4);
    assert.equal(count(GEMINI, { embeddings: [{ values }] }), null);
    assert.equal(count(GEMINI, { embeddings: [{ values }], usageMetadata: { promptTokenCount: 3 } }), 3);
    assert.equal(count(TITAN, { embedding: values, inputTextTokenCount: 7 }), 7);
    assert.equal(count(BEDROCK_COHERE, { embeddings: { float: [values] } }), null);
  });

  it('fail in their own words', () => {
    const fail = (name: string, status: number, text: object) =>
      dialect(name).decodeError({
        status,
        header: () => undefined,
        body: Buffer.from(JSON.stringify(text)),
        provider: name,
        now: 0,
      });
    assert.equal(fail('cohere', 400, { id: '1', message: 'too many texts' }).message, 'too many texts');
    assert.equal(fail('cohere', 498, { message: 'blocked' }).failure, 'auth');
    assert.equal(fail('voyage', 400, { detail: 'batch too large' }).message, 'batch too large');
    assert.equal(fail('voyage', 429, { detail: 'slow down' }).failure, 'rate_limited');
  });
});
