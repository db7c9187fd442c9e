import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { findEmbeddingDialect } from '../index.ts';
import { call, target } from './encode.testing.ts';

const digits = (most: number) => fc.stringMatching(new RegExp(`^\\d{1,${most}}$`));
/** A number in any of JSON's spellings, of any precision. */
const number = fc
  .tuple(
    fc.constantFrom('', '-'),
    digits(3).map((text) => text.replace(/^0+(?=\d)/, '')),
    fc.oneof(
      fc.constant(''),
      digits(25).map((text) => `.${text}`),
    ),
    fc.oneof(
      fc.constant(''),
      fc.tuple(fc.constantFrom('e', 'E', 'e-', 'E+'), digits(2)).map((parts) => parts.join('')),
    ),
  )
  .map((parts) => parts.join(''));
const space = fc.stringMatching(/^[ \t\r\n]{0,3}$/);
const vector = fc
  .array(fc.tuple(space, number, space), { minLength: 1, maxLength: 6 })
  .map((list) => `[${list.map((parts) => parts.join('')).join(',')}]`);

/** How each language wraps its vectors. */
const LANGUAGES: [name: string, model: string, most: number, wrap: (vectors: readonly string[]) => string][] = [
  ['openai', 'm', 4, (all) => `{"data":[${all.map((v, i) => `{"index":${i},"embedding":${v},"x":"]}"}`)}]}`],
  ['azure', 'm', 4, (all) => `{ "data" : [ ${all.map((v, i) => `{"embedding": ${v} ,"index":${i}}`)} ] }`],
  ['voyage', 'm', 4, (all) => `{"data":[${all.map((v, i) => `{"index":${i},"embedding":${v}}`)}]}`],
  ['gemini', 'm', 4, (all) => `{"embeddings":[${all.map((v) => `{"values":${v}}`)}]}`],
  ['vertex', 'm', 4, (all) => `{"predictions":[${all.map((v) => `{"embeddings":{"values":${v}}}`)}]}`],
  ['vertex', 'gemini-embedding-2', 1, (all) => `{"embedding":{"values":${all.join()}}}`],
  ['cohere', 'm', 4, (all) => `{"texts":["\\"]"],"embeddings":{"int8":null,"float":[${all}]}}`],
  ['bedrock', 'cohere.embed-english-v3', 4, (all) => `{"embeddings":[${all}]}`],
  ['bedrock', 'amazon.titan-embed-text-v2:0', 1, (all) => `{"embedding":${all.join()},"inputTextTokenCount":2}`],
];

describe('vectors', () => {
  for (const [name, model, most, wrap] of LANGUAGES) {
    it(`of ${name} (${model}) keep every letter, and an answer cut short is none`, () => {
      const dialect = findEmbeddingDialect(name) ?? assert.fail();
      const decode = (body: Buffer, items: number) =>
        dialect.decodeEmbeddings(body, call({ items: Array(items).fill('a') }), target({ model })).vectors;
      fc.assert(
        fc.property(fc.array(vector, { minLength: 1, maxLength: most }), fc.nat(), (vectors, at) => {
          const body = Buffer.from(wrap(vectors));
          assert.deepEqual(
            decode(body, vectors.length),
            vectors.map((text) => ({ form: 'json', text })),
          );
          assert.throws(() => decode(body.subarray(0, at % body.length), vectors.length), { type: 'response_error' });
          assert.throws(() => decode(body, vectors.length + 1), { type: 'response_error' });
        }),
        { numRuns: 100, seed: Number(process.env.FC_SEED ?? 20_260) },
      );
    });
  }
});
