import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { createRequestClient, type RedisClient, redisKeys } from '@headgate/core/redis';
import { type RedisServer, startRedisServer } from '@headgate/core/testing/redis';
import { Backlog } from './backlog.ts';

const { stream } = redisKeys('t').ledger;

let server: RedisServer;
let client: RedisClient;

before(async () => {
  server = await startRedisServer();
  client = createRequestClient(server.url, 'test');
  await new Promise<void>((ready) => client.once('ready', () => ready()));
});
beforeEach(() => client.flushall());
after(async () => {
  client.disconnect();
  await server.stop();
});

test('what waits is counted, and the oldest entry says for how long; those that were taken count until they are done', async () => {
  const backlog = new Backlog(client, 't');
  await backlog.look();
  assert.deepEqual([backlog.entries, backlog.ageSeconds], [0, 0]);

  const [now = 0] = (await client.time()).map(Number);
  const first = await client.xadd(stream, `${(now - 600) * 1000}-1`, 'batch', 'x');
  await client.xadd(stream, '*', 'batch', 'y');
  await client.xgroup('CREATE', stream, 'roll-up', '0');
  await client.xreadgroup('GROUP', 'roll-up', 'somebody', 'COUNT', 1, 'STREAMS', stream, '>');
  await backlog.look();
  assert.equal(backlog.entries, 2);
  assert.ok(backlog.ageSeconds >= 599 && backlog.ageSeconds < 660, `${backlog.ageSeconds}`);

  assert.ok(first !== null);
  await client.xdel(stream, first);
  await backlog.look();
  assert.equal(backlog.entries, 1);
  assert.ok(backlog.ageSeconds < 60, `${backlog.ageSeconds}`);
});

test('nothing is said of a stream that cannot be looked at', async () => {
  await client.set(stream, 'not a stream');
  const backlog = new Backlog(client, 't');
  await backlog.look();
  assert.deepEqual([backlog.entries, backlog.ageSeconds], [Number.NaN, Number.NaN]);
});

test('what was seen a while ago is not told as what is', async (t) => {
  const backlog = new Backlog(client, 't');
  await backlog.look();
  const seenAt = performance.now();
  t.mock.method(performance, 'now', () => seenAt + 14_000);
  assert.equal(backlog.entries, 0);
  t.mock.method(performance, 'now', () => seenAt + 16_000);
  assert.deepEqual([backlog.entries, backlog.ageSeconds], [Number.NaN, Number.NaN]);
});
