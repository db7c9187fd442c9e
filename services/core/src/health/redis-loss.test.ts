import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { Redis } from 'ioredis';
import { createRequestClient } from '../redis/index.ts';
import { type RedisServer, startRedisServer } from '../redis/redis-server.testing.ts';
import { answered, attempt, Boards, breakerOf, eventually, NEVER_MS, outage, until } from './board.testing.ts';

const KEY = 'openai:gpt';

let server: RedisServer;
let boards: Boards;

before(async () => {
  server = await startRedisServer();
});
beforeEach(async () => {
  await server.restart();
  boards = new Boards({ redisUrl: server.url, pollMs: 20 });
});
afterEach(() => boards.stop());
after(() => server.stop());

const stateLines = () =>
  boards.lines.filter((line) => line.startsWith('Redis')).map((line) => line.replace(/ \{.*/, ''));

test('away from the start: start() does not fail, breakers work locally, and the shared state is taken when it comes', async () => {
  await server.halt();
  const one = await boards.add();
  assert.equal(one.redisUp(), false);
  outage(one, KEY);
  assert.equal(breakerOf(one, KEY), 'open', 'at once, and without Redis');
  await eventually(() => one.view().of(KEY)?.probeDue === true);
  one.wanted(KEY);
  await until(one, () => breakerOf(one, KEY) === 'half_open');
  attempt(one, KEY);
  assert.equal(breakerOf(one, KEY), 'open');
  assert.equal(await one.acquireProbe(KEY), null);
  assert.equal((await one.statistics([KEY])).get(KEY)?.uptime.last15m, null);
  assert.equal((await one.modelUptime(['openai/gpt'])).get('openai/gpt')?.last1d, null);

  await server.startAgain();
  await until(one, () => breakerOf(one, KEY) === 'closed');
  assert.equal(one.redisUp(), true);
  assert.deepEqual(stateLines(), ['Redis is away: health is kept locally', 'Redis is back: health is shared again']);
});

test('lost in the middle: what was shared is kept, what happens here is acted on, and Redis has the last word', async () => {
  const [one, other] = [await boards.add(), await boards.add()];
  outage(one, KEY);
  await until(other, () => breakerOf(other, KEY) === 'open');
  await server.halt();
  await eventually(() => !one.redisUp() && !other.redisUp());
  assert.equal(breakerOf(other, KEY), 'open');
  answered(other, KEY);
  outage(other, 'mistral:m');
  assert.equal(breakerOf(other, KEY), 'closed');
  assert.equal(breakerOf(other, 'mistral:m'), 'open');
  assert.equal(breakerOf(one, 'mistral:m'), 'closed', 'nobody told it');

  await server.startAgain();
  await eventually(() => one.redisUp() && other.redisUp());
  assert.equal(breakerOf(one, KEY), 'closed', 'an empty Redis knows of nothing');
  assert.equal(breakerOf(other, 'mistral:m'), 'closed');
  outage(one, KEY);
  await until(other, () => breakerOf(other, KEY) === 'open');
  assert.deepEqual(stateLines().sort(), [
    'Redis is away: health is kept locally',
    'Redis is away: health is kept locally',
    'Redis is back: health is shared again',
    'Redis is back: health is shared again',
  ]);
});

test('frozen: what could not be written counts locally', async () => {
  const one = await boards.add({ pollMs: NEVER_MS });
  server.pause();
  try {
    outage(one, KEY);
    await until(one, () => breakerOf(one, KEY) === 'open');
    assert.equal(one.redisUp(), false);
  } finally {
    server.resume();
  }
});

test('flushed: everybody forgets, and goes on', async () => {
  const client = createRequestClient(server.url, 'test');
  await new Promise((resolve) => client.once('ready', resolve));
  const [one, other] = [await boards.add(), await boards.add()];
  outage(one, KEY);
  await Promise.all([one, other].map((board) => until(board, () => breakerOf(board, KEY) === 'open')));
  await client.flushall();
  await Promise.all([one, other].map((board) => until(board, () => breakerOf(board, KEY) === 'closed')));
  outage(other, KEY);
  await until(one, () => breakerOf(one, KEY) === 'open');
  client.disconnect();
});

test('a lost message is healed by the next poll', async () => {
  const client = createRequestClient(server.url, 'test');
  await new Promise((resolve) => client.once('ready', resolve));
  const deaf = await boards.add();
  // As transition.lua leaves it, but nobody is told.
  const epoch = String(Date.now());
  await client.hset(
    't:{health}:breakers',
    KEY,
    JSON.stringify({ key: KEY, open: true, epoch, openUntilMs: epoch, version: epoch }),
  );
  await client.set('t:{health}:breakers:version', epoch);
  await until(deaf, () => breakerOf(deaf, KEY) === 'open');
  client.disconnect();
});

test('after the connection of the subscription was cut, changes are pushed again', async () => {
  const client = createRequestClient(server.url, 'test');
  await new Promise((resolve) => client.once('ready', resolve));
  const [one, other] = [await boards.add({ pollMs: NEVER_MS }), await boards.add({ pollMs: NEVER_MS })];
  const subscribers = async () => Number((await client.pubsub('NUMSUB', 't:{health}:changes'))[1]);
  while ((await subscribers()) < 2) await new Promise((resolve) => setTimeout(resolve, 2));
  await client.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
  while ((await subscribers()) < 2) await new Promise((resolve) => setTimeout(resolve, 2));
  outage(one, KEY);
  await until(other, () => breakerOf(other, KEY) === 'open');
  assert.deepEqual(stateLines(), []);
  client.disconnect();
});

test('a Cluster: every script stays on one node', async () => {
  const cluster = await startRedisServer({ args: ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1'] });
  try {
    const node = new Redis(cluster.url);
    await node.cluster('ADDSLOTSRANGE', 0, 16383);
    while (!String(await node.cluster('INFO')).includes('cluster_state:ok')) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    node.disconnect();
    const given = { redisUrl: cluster.url.replace('redis://', 'redis+cluster://') };
    const [one, other] = [await boards.add(given), await boards.add({ ...given, flushMs: 10 })];
    outage(one, KEY);
    await until(other, () => breakerOf(other, KEY) === 'open');
    answered(other, KEY, { ttftMs: 100 });
    await eventually(() => other.view().of(KEY)?.ttftMs !== null);
    assert.ok(((await one.statistics([KEY])).get(KEY)?.uptime.last15m ?? 0) > 0);
    await boards.stop();
  } finally {
    await cluster.stop();
  }
});
