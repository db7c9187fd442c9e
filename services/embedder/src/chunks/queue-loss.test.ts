import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, test } from 'node:test';
import { setTimeout as after } from 'node:timers/promises';
import { DEFAULT_EMBEDDINGS } from '@headgate/core/catalog';
import { ChunkQueue } from '@headgate/core/queue';
import { dataOf, expected, QueueBench, until } from './queue-bench.testing.ts';
import { answer, log, PREFIX, startEmbedder } from './scripted.testing.ts';

let bench: QueueBench;
beforeEach(async () => {
  bench = await QueueBench.open();
});
afterEach(() => bench.close());

test('a lost notification is repaired', async () => {
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  let begun = 0;
  await bench.embedder(async (job) => {
    begun++;
    await held;
    return answer(job);
  });
  const ends = bench.run(5);
  await until(() => begun === 5);
  // The subscriber's connection goes and comes back for ever while results are written.
  let killing = true;
  const killer = (async () => {
    while (killing) {
      await bench.client.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
      await after(1);
    }
  })();
  release();
  assert.deepEqual((await ends).map(dataOf), expected(5));
  killing = false;
  await killer;
  assert.ok(bench.repaired > 0);
  assert.equal(bench.takenOver, 0);
});

test('the chunks of a killed embedder are done by another one within ten seconds, none twice', async () => {
  const child = spawn(
    process.execPath,
    ['-C', 'source', new URL('./scripted.testing.ts', import.meta.url).pathname, bench.server.url, '60000'],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  try {
    const begun: string[] = [];
    createInterface({ input: child.stdout }).on('line', (line) => begun.push(line));
    await until(() => bench.queue.liveEmbedders === 1);
    const ends = bench.run(30);
    await until(() => begun.length === 16);
    const done: string[] = [];
    bench.embedders.push(
      startEmbedder(bench.server.url, 'second', (job) => {
        done.push(job.chunkId);
        return Promise.resolve(answer(job));
      }),
    );
    await until(() => done.length === 14);
    child.kill('SIGKILL');
    const killedAt = performance.now();
    assert.deepEqual((await ends).map(dataOf), expected(30));
    assert.ok(performance.now() - killedAt < 11_000, `after ${performance.now() - killedAt} ms`);
    assert.equal(new Set(done).size, 30);
    assert.equal(done.length, 30);
    assert.equal(bench.takenOver, 0);
  } finally {
    child.kill('SIGKILL');
  }
});

test('when the last embedder leaves, what waits is handed to whoever asked', async () => {
  let begun = 0;
  const one = await bench.embedder(async (job, signal) => {
    begun++;
    await once(signal, 'abort').catch(() => undefined);
    return answer(job);
  });
  const ends = bench.run(20);
  await until(() => begun === 16);
  await one.stop();
  assert.deepEqual(new Set(await ends), new Set(['taken over']));
  assert.equal(bench.takenOver, 20);
  bench.embedders.length = 0;
  // An embedder that comes now finds nothing.
  await bench.embedder((job) => {
    begun++;
    return Promise.resolve(answer(job));
  }, 1);
  await bench.empty();
  assert.equal(begun, 16);
});

test('an embedder that stops hands back what it cannot finish, and another goes on', async () => {
  let begun = 0;
  const one = await bench.embedder(async (job, signal) => {
    begun++;
    await once(signal, 'abort').catch(() => undefined);
    return answer(job);
  });
  const ends = bench.run(10);
  await until(() => begun === 10);
  await bench.embedder((job) => Promise.resolve(answer(job)));
  const from = performance.now();
  await one.stop(50);
  assert.deepEqual((await ends).map(dataOf), expected(10));
  assert.ok(performance.now() - from < 4_000);
});

for (const persist of [false, true]) {
  test(`Redis dies in the middle and comes back ${persist ? 'with' : 'without'} what it knew: each chunk ends`, async () => {
    await bench.close();
    bench = await QueueBench.open({ persist });
    let begun = 0;
    await bench.embedder(async (job) => {
      begun++;
      await after(50);
      return answer(job);
    });
    const ends = bench.run(200);
    await until(() => begun >= 40);
    await bench.server.restart();
    const all = await ends;
    all.forEach((end, at) => {
      if (end !== 'taken over') assert.deepEqual(dataOf(end), expected(200)[at]);
    });
    // And the queue works again.
    await until(() => bench.queue.liveEmbedders === 1);
    assert.deepEqual((await bench.run(20)).map(dataOf), expected(20));
  });
}

test('what a killed process had queued is made by nobody and does not stay; who lives keeps what it waits for', async () => {
  const UNWANTED_AFTER_MS = 4_000;
  const begun: string[] = [];
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  await bench.embedder(async (job) => {
    begun.push(job.waiter);
    await held;
    return answer(job);
  });
  const path = new URL('./waiting.testing.ts', import.meta.url).pathname;
  const args = ['-C', 'source', path, bench.server.url, '40', String(UNWANTED_AFTER_MS)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  const living = new ChunkQueue({
    queueUrl: bench.server.url,
    prefix: PREFIX,
    waiter: 'living',
    policy: () => DEFAULT_EMBEDDINGS.queue,
    log,
    unwantedAfterMs: UNWANTED_AFTER_MS,
    onTakenOver: () => {
      bench.takenOver++;
    },
  });
  living.start();
  try {
    await until(() => begun.length === 16);
    const counts = () => bench.queues.of('p').getJobCounts('waiting');
    await until(async () => (await counts()).waiting === 24);
    child.kill('SIGKILL');
    await once(child, 'exit');
    const draft = (from: number) => ({
      provider: 'p',
      job: { from, items: [{ item: { case: 'text' as const, value: 'é' } }], model: 'm/m' },
    });
    const drafts = Array.from({ length: 20 }, (_, from) => draft(from));
    const signal = new AbortController().signal;
    const ends = living.run(drafts, { deadlineAt: performance.now() + 60_000, signal });
    // The records of the dead go; those of the living stay for longer than one that is not renewed.
    await until(async () => (await bench.client.keys(`${PREFIX}:{embed:*`)).length === 20);
    await after(UNWANTED_AFTER_MS + 1_000);
    release();
    assert.deepEqual(
      (await ends).map(dataOf),
      Array.from({ length: 20 }, () => ['É']),
    );
    assert.deepEqual(
      begun.slice(16),
      Array.from({ length: 20 }, () => 'living'),
    );
    assert.equal(bench.takenOver, 0);
    await bench.empty();
  } finally {
    child.kill('SIGKILL');
    await living.stop();
  }
});

test('while there is no embedder, what nobody can wait for any more is removed', async () => {
  const jobs = [
    { id: 'old', data: { chunkId: 'old' } },
    { id: 'late', data: { chunkId: 'late' } },
  ];
  await bench.queues.add('p', jobs, 3);
  await bench.queues.removeOlderThan('p', 60_000);
  assert.equal((await bench.queues.of('p').getJobCounts('waiting')).waiting, 2);
  await after(20);
  await bench.queues.removeOlderThan('p', 10);
  await bench.empty();
});
