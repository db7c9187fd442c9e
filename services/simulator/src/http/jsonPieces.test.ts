import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { startSimulator } from '../server.ts';
import { openRaw, requestRaw } from '../testing/rawRequest.ts';
import { jsonPieces } from './jsonPieces.ts';

describe('JSON in pieces', () => {
  it('is the text of the whole value', () => {
    const value = { id: 'a "float":[] b', deep: { float: [], int8: [] }, last: 1 };
    const text = [...jsonPieces(value, { float: [[1], [2]], int8: ['x'] })].join('');
    assert.deepEqual(JSON.parse(text), { ...value, deep: { float: [[1], [2]], int8: ['x'] } });
    assert.deepEqual(JSON.parse([...jsonPieces({ data: [] }, { data: [] })].join('')), { data: [] });
  });

  it('makes entries only when they are taken', () => {
    let made = 0;
    const entries = function* () {
      for (;;) yield ++made;
    };
    const pieces = jsonPieces({ data: [] }, { data: entries() });
    assert.deepEqual([pieces.next().value, pieces.next().value], ['{"data":[', '1']);
    assert.equal(made, 1);
  });
});

describe('large embeddings answers', () => {
  const path = '/v1/embeddings';
  const body = { model: 'text-embedding-3-small', input: Array.from({ length: 500 }, (_, index) => `text ${index}`) };

  it('come in many chunks, small ones with their length', async (context) => {
    const simulator = await startSimulator();
    context.after(() => simulator.close());
    const large = await requestRaw(simulator.port, { path, body });
    assert.ok(large.chunks.length > 10, `${large.chunks.length} chunks`);
    assert.ok(large.terminated);
    assert.equal(JSON.parse(large.body).data.length, 500);
    assert.equal(simulator.requests.at(-1)?.bytesSent, Buffer.byteLength(large.body));
    const small = await requestRaw(simulator.port, { path, body: { ...body, input: 'text' } });
    assert.match(small.head, /content-length: \d+/i);
  });

  it('are not made for a client that has left, and cost their input', async (context) => {
    const simulator = await startSimulator();
    context.after(() => simulator.close());
    const connection = openRaw(simulator.port, { path, body: { ...body, input: Array(2048).fill('text') } });
    await connection.until('"embedding":[');
    connection.socket.destroy();
    const [record] = await simulator.journal.wait({ ended: true }, 1, 5000);
    assert.deepEqual([record?.outcome, record?.items], ['aborted', 2048]);
    assert.ok((record?.bytesSent ?? 0) < 30_000_000);
    assert.equal(simulator.usage.report().totals.prompt, 2048);
  });

  it('break in the middle as asked for', async (context) => {
    const simulator = await startSimulator();
    context.after(() => simulator.close());
    const asked = (directive: string) =>
      requestRaw(simulator.port, { path, body: { ...body, model: `${body.model}+${directive}` } });
    const torn = await asked('tear=1');
    assert.equal(torn.terminated, false);
    const cut = await asked('cut=1');
    assert.ok(cut.terminated);
    for (const { body: text } of [torn, cut]) assert.throws(() => JSON.parse(text), SyntaxError);
    assert.equal((await asked('reset=5')).error, 'ECONNRESET');
    assert.equal((await asked('reset=before')).error, 'ECONNRESET');
    const limited = await asked('status=429+retry-after=7');
    assert.match(limited.head, /429.*retry-after: 7/is);
    assert.equal(JSON.parse((await asked('nousage')).body).usage, undefined);
    assert.deepEqual(JSON.parse((await asked('empty')).body).data, []);
  });
});
