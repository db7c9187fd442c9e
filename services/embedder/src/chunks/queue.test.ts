import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterEach, beforeEach, test } from 'node:test';
import { setTimeout as after } from 'node:timers/promises';
import type { ChunkHandler } from './contract.ts';
import { dataOf, expected, QueueBench, until } from './queue-bench.testing.ts';
import { answer, failure } from './scripted.testing.ts';

let bench: QueueBench;
beforeEach(async () => {
  bench = await QueueBench.open();
});
afterEach(() => bench.close());

test('chunks of one request, done by two embedders, come back in order; nothing is left in Redis', async () => {
  const done: string[] = [];
  for (const name of ['a', 'b']) {
    await bench.embedder(async (job) => {
      await after(5);
      done.push(`${name} ${job.chunkId}`);
      return answer(job);
    });
  }
  const ends = await bench.run(200);
  assert.deepEqual(ends.map(dataOf), expected(200));
  assert.equal(new Set(done.map((line) => line.split(' ')[1])).size, 200);
  assert.equal(done.length, 200);
  assert.equal(new Set(done.map((line) => line[0])).size, 2);
  await bench.empty();
  assert.equal(bench.repaired + bench.takenOver, 0);
});

test('results never stand in the jobs, whose data is proto JSON', async () => {
  let seen: unknown = null;
  await bench.embedder(async (job) => {
    seen = (await bench.queues.of('p').getJob(job.chunkId))?.asJSON();
    return answer(job);
  });
  await bench.run(1);
  const { data, returnvalue } = seen as { data: string; returnvalue: string };
  const message = JSON.parse(data);
  assert.deepEqual(Object.keys(message).sort(), ['chunkId', 'deadlineMs', 'items', 'model', 'waiter']);
  assert.deepEqual(message.items[1], { text: 'text 0.1 é' });
  assert.match(message.deadlineMs, /^\d{13}$/);
  assert.ok(returnvalue === undefined || returnvalue === 'null', returnvalue);
});

test('a provider that asks for a pause gets one from all embedders, and the request succeeds', async () => {
  const begun: number[] = [];
  let pausedAt = 0;
  const handler: ChunkHandler = async (job) => {
    begun.push(performance.now());
    if (pausedAt > 0) return answer(job);
    pausedAt = performance.now();
    return failure('rate_limited', 1_500);
  };
  await bench.embedder(handler);
  await bench.embedder(handler);
  assert.deepEqual((await bench.run(1)).map(dataOf), expected(1));
  assert.equal(begun.length, 2);
  // All of these were added and begun after the pause.
  assert.ok((begun[1] ?? 0) - pausedAt >= 1_400, `after ${(begun[1] ?? 0) - pausedAt} ms`);
});

test('during a pause no embedder begins anything', async () => {
  const begun: number[] = [];
  const handler: ChunkHandler = async (job) => {
    begun.push(performance.now());
    return answer(job);
  };
  await bench.embedder(handler);
  await bench.embedder(handler);
  const from = performance.now();
  await bench.queues.of('p').rateLimit(1_500);
  assert.deepEqual((await bench.run(50)).map(dataOf), expected(50));
  assert.ok(Math.min(...begun) - from >= 1_400, `after ${Math.min(...begun) - from} ms`);
});

test('what may pass is tried again with growing pauses; what may not ends the request, and the rest is left', async () => {
  const tries = new Map<string, number>();
  const one = await bench.embedder((job) => {
    const number = (tries.get(job.chunkId) ?? 0) + 1;
    tries.set(job.chunkId, number);
    return Promise.resolve(number < 3 ? failure('overloaded') : answer(job));
  });
  assert.deepEqual((await bench.run(3)).map(dataOf), expected(3));
  assert.deepEqual([...tries.values()], [3, 3, 3]);
  await one.stop();
  bench.embedders.length = 0;
  let begun = 0;
  await bench.embedder(async (job, signal) => {
    begun++;
    if (job.from === 0) return failure('bad_request');
    await once(signal, 'abort').catch(() => undefined);
    return answer(job);
  }, 1);
  const ends = await bench.run(40);
  assert.equal(typeof ends[0] === 'object' && ends[0].outcome.failure?.failureClass, 'bad_request');
  assert.deepEqual(new Set(ends.slice(1)), new Set(['left']));
  assert.ok(begun <= 17);
  await bench.empty();
});

test('when the client goes, what is queued is removed and what runs is stopped', async () => {
  const aborted: string[] = [];
  let begun = 0;
  await bench.embedder(async (job, signal) => {
    begun++;
    await once(signal, 'abort').catch(() => undefined);
    aborted.push(job.chunkId);
    return answer(job);
  });
  const controller = new AbortController();
  const ends = bench.run(100, { signal: controller.signal });
  await until(() => begun === 16);
  controller.abort(new Error('gone'));
  await assert.rejects(ends, /gone/);
  await until(() => aborted.length === 16);
  assert.equal(begun, 16);
  await bench.empty();
});

test('at the deadline the request ends, and nothing is left', async () => {
  await bench.embedder(async (job, signal) => {
    await once(signal, 'abort').catch(() => undefined);
    return answer(job);
  });
  await assert.rejects(bench.run(20, { ms: 300 }), { type: 'upstream_timeout', status: 504 });
  await bench.empty();
});

test('more than may wait is refused at once', async () => {
  await bench.embedder((job) => Promise.resolve(answer(job)));
  await assert.rejects(bench.run(501), { type: 'service_unavailable', code: 'queue_full', retryAfterMs: 1_000 });
  assert.equal((await bench.run(500)).length, 500);
});
