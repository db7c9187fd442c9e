import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { Redis } from 'ioredis';
import { createRequestClient, type RedisClient } from '../redis/index.ts';
import { type RedisServer, startRedisServer } from '../redis/redis-server.testing.ts';
import { answered, attempt, Boards, breakerOf, eventually, NEVER_MS, outage, until } from './board.testing.ts';
import type { HealthBoard } from './index.ts';

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

test('away from the start: start() does not fail, breakers work locally, and all is shared when Redis comes', async () => {
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
  await eventually(() => one.redisUp());
  assert.equal(breakerOf(one, KEY), 'open', 'Redis has never heard of it');
  assert.equal(breakerOf(await boards.add(), KEY), 'open');
  assert.deepEqual(stateLines(), ['Redis is away: health is kept locally', 'Redis is back: health is shared again']);
});

test('lost in the middle: what was shared is kept, what happens here is acted on, and an empty Redis is told the newest of it', async () => {
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
  await until(one, () => breakerOf(one, 'mistral:m') === 'open');
  await until(one, () => breakerOf(one, KEY) === 'closed');
  assert.equal(breakerOf(other, KEY), 'closed', 'its answer is newer than what the first one knew');
  assert.equal(breakerOf(other, 'mistral:m'), 'open');
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

for (const [how, lose] of [
  ['restarted without its data', () => server.restart()],
  ['flushed', async () => void (await withClient((client) => client.flushall()))],
] as const) {
  test(`${how}: what is open stays open for all, and those who come later know`, async () => {
    const keys = [KEY, 'openai:other', 'mistral:m'];
    const [one, other, third] = [await boards.add(), await boards.add(), await boards.add()];
    const all = [one, other, third];
    // Long enough for all of this.
    for (const key of keys) attempt(one, key, { failure: 'overloaded', retryAfterMs: 600_000 });
    for (const key of keys) outage(one, key);
    attempt(other, 'xai:grok', { failure: 'rate_limited', status: 429, retryAfterMs: 500_000 });
    attempt(other, 'xai:refused', { failure: 'auth', status: 401 });
    const isUnwell = (board: HealthBoard) =>
      keys.every((key) => breakerOf(board, key) === 'open') &&
      (board.view().of('xai:grok')?.coolUntil ?? 0) > board.view().now + 400_000 &&
      (board.view().of('xai:never-heard-of')?.coolUntil ?? 0) > board.view().now;
    await eventually(() => all.every(isUnwell));
    const before = all.map((board) => JSON.stringify(board.open()));
    const relapses: string[] = [];
    for (const board of all) {
      board.onChange((key) => {
        if (keys.includes(key) && breakerOf(board, key) !== 'open') relapses.push(key);
      });
    }

    const lostAt = performance.now();
    await lose();
    const stored = () => withClient((client) => client.hkeys('t:{health}:breakers'));
    await eventually(async () => (await stored()).length >= 5);
    const took = performance.now() - lostAt;
    assert.ok(took < 5_000, `${took} ms`);
    assert.ok(isUnwell(await boards.add()), 'a newcomer knows all of it');
    assert.ok(all.every(isUnwell));
    assert.deepEqual(
      all.map((board) => JSON.stringify(board.open())),
      before,
    );
    assert.deepEqual(relapses, []);

    answered(third, KEY);
    await Promise.all(all.map((board) => until(board, () => breakerOf(board, KEY) === 'closed')));
  });
}

test('flushed under traffic: an event that comes first does not make Redis forget', async () => {
  const [one, other] = [await boards.add({ pollMs: NEVER_MS }), await boards.add({ pollMs: NEVER_MS })];
  attempt(one, KEY, { failure: 'overloaded', retryAfterMs: 600_000 });
  outage(one, KEY);
  await until(other, () => breakerOf(other, KEY) === 'open');
  await withClient((client) => client.flushall());
  // Redis takes it for the first that it hears of this endpoint, and says so to all.
  attempt(other, KEY, { failure: 'rate_limited', status: 429, retryAfterMs: 900_000 });
  const openUntil = (board: HealthBoard) => board.open()[0]?.openUntil ?? 0;
  await eventually(() => [one, other].every((board) => openUntil(board) > board.view().now + 800_000));
  assert.deepEqual(one.open(), other.open());
});

test('many replicas that lose the same cost one change', async () => {
  const all = await Promise.all(Array.from({ length: 12 }, () => boards.add({ pollMs: 50, flushMs: NEVER_MS })));
  const [first] = all;
  assert.ok(first);
  for (const key of [KEY, 'mistral:m']) {
    attempt(first, key, { failure: 'overloaded', retryAfterMs: 600_000 });
    outage(first, key);
  }
  await eventually(() => all.every((board) => board.open().length === 2));
  await withClient(async (client) => {
    const heard = new Redis(server.url);
    const messages: string[] = [];
    heard.on('message', (_channel, text) => messages.push(text));
    await heard.subscribe('t:{health}:changes');
    await client.flushall();
    await client.config('RESETSTAT');
    await eventually(async () => (await client.hlen('t:{health}:breakers')) === 2);
    // Each of them has polled at least twice more.
    await eventually(async () => (await scriptsRun(client)) >= 12 * 4);
    heard.disconnect();
    assert.equal(messages.length, 1, messages.join('\n'));
    const told = await client.info('commandstats').then((stats) => /cmdstat_hset:calls=(\d+)/.exec(stats)?.[1]);
    assert.equal(told, '2', 'each breaker was written once');
  });
  assert.ok(all.every((board) => board.open().length === 2));
});

const scriptsRun = async (client: RedisClient): Promise<number> =>
  [...(await client.info('commandstats')).matchAll(/cmdstat_eval(?:sha)?:calls=(\d+)/g)].reduce(
    (sum, [, calls]) => sum + Number(calls),
    0,
  );

async function withClient<T>(use: (client: RedisClient) => Promise<T>): Promise<T> {
  const client = createRequestClient(server.url, 'test');
  try {
    await new Promise((resolve) => client.once('ready', resolve));
    return await use(client);
  } finally {
    client.disconnect();
  }
}

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
