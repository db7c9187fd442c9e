import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { findEmbeddingDialect } from '../index.ts';
import { call, target } from './encode.testing.ts';

interface Recording {
  readonly dialect: string;
  readonly request: { readonly input: readonly string[] };
  readonly expect: { readonly embeddings: { dims: number; first: number[] }; readonly usage: { prompt: number } };
  readonly upstream: { readonly blocks: readonly string[] };
}

describe('recorded embeddings', () => {
  for (const name of ['openai', 'cohere', 'voyage']) {
    it(`of ${name} are read to the letter`, () => {
      const file = new URL(`./fixtures/${name}-embedding.json`, import.meta.url);
      const recording = JSON.parse(readFileSync(file, 'utf8')) as Recording;
      const body = recording.upstream.blocks.join('');
      const dialect = findEmbeddingDialect(recording.dialect) ?? assert.fail();
      const asked = call({ items: recording.request.input });
      const { vectors, promptTokens } = dialect.decodeEmbeddings(Buffer.from(body), asked, target({}));
      const { embeddings, usage } = recording.expect;
      assert.equal(vectors.length, recording.request.input.length);
      assert.equal(promptTokens, usage.prompt);
      for (const { form, text } of vectors) {
        assert.equal(form, 'json');
        assert.ok(body.includes(text));
        assert.equal((JSON.parse(text) as number[]).length, embeddings.dims);
      }
      assert.deepEqual((JSON.parse(vectors[0]?.text ?? '') as number[]).slice(0, 3), embeddings.first);
    });
  }
});
