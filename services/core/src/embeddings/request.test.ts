import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatewayError } from '../errors/index.ts';
import { readEmbeddingRequest } from './request.ts';

const read = (body: string) => readEmbeddingRequest(Buffer.from(body), 10);

test('what is not the gateway’s goes to the provider; a prototype does not', () => {
  const { head, items, user } = read(
    '{"model":"a/b","input":"x","user":"u","input_type":"query","__proto__":{"evil":1},"constructor":2,' +
      '"providerOptions":{"cohere":{"truncate":"END"},"__proto__":{"evil":1},"gateway":{"user":"v"}}}',
  );
  assert.deepEqual(items, ['x']);
  assert.equal(user, 'v');
  assert.equal(head.user, 'u');
  assert.deepEqual(Object.keys(head.extra), ['input_type', 'constructor']);
  assert.deepEqual(Object.keys(head.providerOptions), ['cohere']);
  assert.equal((head.extra as { evil?: unknown }).evil, undefined);
  assert.equal((head.providerOptions as { evil?: unknown }).evil, undefined);
});

test('of a key that occurs twice the last one counts, everywhere', () => {
  const { head, items } = read('{"model":"a/b","input":"x","model":"c/d","input":["y"],"\\u006dodel":"e/f"}');
  assert.equal(head.model, 'e/f');
  assert.deepEqual(items, ['y']);
});

test('too deep, no UTF-8 and too many items are refused', () => {
  const deep = (levels: number) => `{"model":"a/b","input":"x","z":${'['.repeat(levels)}${']'.repeat(levels)}}`;
  for (const [body, code] of [
    [Buffer.from(deep(20_000)), 'nesting_too_deep'],
    [Buffer.from(deep(5_000)), 'nesting_too_deep'],
    [Buffer.from(deep(1_001)), 'nesting_too_deep'],
    [Buffer.from([0x7b, 0xff, 0x7d]), 'invalid_json'],
    [Buffer.from(JSON.stringify({ model: 'a', input: Array(11).fill('x') })), 'too_many_items'],
  ] as const) {
    assert.throws(
      () => readEmbeddingRequest(body, 10),
      (thrown) => thrown instanceof GatewayError && thrown.code === code && thrown.status === 400,
    );
  }
});
