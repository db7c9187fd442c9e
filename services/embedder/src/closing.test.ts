import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createQueueConnection } from '@headgate/core/redis';
import { startRedisServer } from '@headgate/core/testing/redis';
import { Worker } from 'bullmq';
import { closedWithin } from './closing.ts';

test('workers of a Redis that is there are waited for', async () => {
  const server = await startRedisServer();
  const connection = createQueueConnection(server.url, 'closing-test');
  try {
    const worker = new Worker('work', () => Promise.resolve(), { connection });
    await worker.waitUntilReady();
    assert.equal(await closedWithin(20_000, worker.close(), connection), true);
    const began = performance.now();
    assert.equal(await closedWithin(300, new Promise(() => undefined), connection), false);
    assert.ok(performance.now() - began < 2_000);
  } finally {
    connection.disconnect();
    await server.stop();
  }
});

test('those of one that is away, or was never there, hold nobody up', async () => {
  const server = await startRedisServer();
  const { url } = server;
  await server.stop();
  const connection = createQueueConnection(url, 'closing-test');
  const worker = new Worker('work', () => Promise.resolve(), { connection });
  worker.on('error', () => undefined);
  try {
    const began = performance.now();
    await closedWithin(60_000, worker.close(), connection);
    assert.equal(await closedWithin(60_000, new Promise(() => undefined), connection), false);
    assert.ok(performance.now() - began < 20_000);
  } finally {
    connection.disconnect();
    worker.disconnect().catch(() => undefined);
  }
});
