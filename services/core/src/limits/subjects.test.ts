import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Redis } from 'ioredis';
import { createRequestClient, type RedisClient, redisKeys } from '../redis/index.ts';
import { type RedisServer, startRedisServer } from '../redis/redis-server.testing.ts';
import type { Subject } from './contract.ts';
import { isRefusal } from './refusal.ts';
import { AT_ONCE, ask, startReplica, subject } from './replica.testing.ts';

let server: RedisServer;
let client: RedisClient;
let serial = 0;

before(async () => {
  server = await startRedisServer();
  client = createRequestClient(server.url, 'subjects-test');
  await new Promise<void>((ready) => client.once('ready', () => ready()));
});
after(async () => {
  client.disconnect();
  await server.stop();
});

const name = (): string => `s${serial++}`;
const user = (id: string): Subject => ({ ...subject(id, { requestsPerDay: 3 }), kind: 'user' });

test('what callers call their users is not in the names of keys, and may be anything', async () => {
  const replica = await startReplica(server.url, name());
  const odd = 'ada}@example.org {x} \u0000 ☃';
  for (let i = 0; i < 3; i++) assert.ok(await ask(replica, [user(odd)]));
  const refused = await replica.limiter.admit([user(odd)], { tokens: 0, money: 0 }, AT_ONCE);
  assert.ok(isRefusal(refused));
  assert.equal(refused.error.message, 'Rate limit reached: 3 requests per day for this end user.');
  assert.equal(refused.limit, 'user requestsPerDay');
  assert.ok(await ask(replica, [user('bob')]), 'another one');
  const keys = await client.keys('*limit:user:*');
  assert.equal(keys.length, 2);
  assert.ok(keys.every((key) => !key.includes('ada') && !key.includes('bob')));
  for (const key of keys) assert.ok((await client.pttl(key)) > 0, 'goes by itself');
  await replica.stop();
});

test('so many end users are remembered, the next one takes the place of the oldest', async () => {
  const replica = await startReplica(server.url, name(), 500);
  const { limiter } = replica;
  const running = await ask(replica, [{ ...subject('many-busy', { concurrency: 1 }), kind: 'user' }]);
  for (let i = 0; i < 2_000; i += 100) {
    await Promise.all(Array.from({ length: 100 }, (_, j) => ask(replica, [user(`many-${i + j}`)])));
  }
  assert.equal(limiter.subjects, 500);
  assert.equal(limiter.counters.admitted, 2_001);
  assert.equal(
    await ask(replica, [{ ...subject('many-busy', { concurrency: 1 }), kind: 'user' }]),
    null,
    'it runs still',
  );
  running?.release();
  await replica.stop();
});

test('other limits hold from the next request on; what runs is still counted', async () => {
  const replica = await startReplica(server.url, name());
  const id = name();
  const running = [
    await ask(replica, [subject(id, { concurrency: 5 })]),
    await ask(replica, [subject(id, { concurrency: 5 })]),
  ];
  assert.ok(running[0] && running[1]);
  const narrow = subject(id, { concurrency: 2, requestsPerDay: 2 });
  assert.equal(await ask(replica, [narrow]), null);
  running[0].settle({ tokens: 0, money: 0 });
  const third = await ask(replica, [narrow]);
  assert.ok(third, 'one of them came free');
  assert.equal(await ask(replica, [narrow]), null);
  running[1].settle({ tokens: 0, money: 0 });
  third.settle({ tokens: 0, money: 0 });
  assert.ok(await ask(replica, [narrow]));
  assert.equal(await ask(replica, [narrow]), null, 'two a day');
  assert.ok(await ask(replica, [subject(id, { concurrency: 2 })]), 'no longer so many a day');
  await replica.stop();
});

test('a budget: what was reserved in a window that is over does not come back in the next', async () => {
  const replica = await startReplica(server.url, name());
  const id = name();
  const s = subject(id, {}, { usd: '0.001', window: 'day', mode: 'hard' });
  const yesterday = await ask(replica, [s], { tokens: 0, money: 900_000 });
  assert.ok(yesterday);
  const key = redisKeys('test').limits.buckets(`key:${id}`);
  // As if midnight had come: what Redis has is of a day that is over.
  await client.hincrby(key, 'budget:ends', -86_400_000);
  const other = await startReplica(server.url, name());
  const today = await ask(other, [s], { tokens: 0, money: 1_000_000 });
  assert.ok(today, 'a whole budget');
  assert.equal(await ask(other, [s], { tokens: 0, money: 1 }), null);
  await replica.stop();
  await other.stop();
});

test('budgets that do not refuse are counted when they are overspent', async () => {
  const replica = await startReplica(server.url, name());
  const s = subject(name(), {}, { usd: '0.001', window: 'total', mode: 'shadow' });
  for (let i = 0; i < 3; i++) {
    (await ask(replica, [s], { tokens: 0, money: 600_000 }))?.settle({ tokens: 0, money: 600_000 });
  }
  const { overspent, refused, admitted } = replica.limiter.counters;
  // When the second came, 0.0006 of 0.001 were spent.
  assert.deepEqual([...overspent], [['key shadow', 1]]);
  assert.deepEqual([admitted, refused.size], [3, 0]);
  await replica.stop();
});

test('slots that nobody uses go back at once where there are few', async () => {
  const [a, b] = [await startReplica(server.url, name()), await startReplica(server.url, name())];
  const s = subject(name(), { concurrency: 1 });
  for (let i = 0; i < 20; i++) {
    const admission = await ask(i % 2 === 0 ? a : b, [s]);
    admission?.settle({ tokens: 0, money: 0 });
    assert.ok(admission, `request ${i}`);
    await new Promise((done) => setTimeout(done, 30));
  }
  await Promise.all([a.stop(), b.stop()]);
});

test('a Cluster: all keys of a subject are on one node', async () => {
  const cluster = await startRedisServer({ args: ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1'] });
  try {
    const node = new Redis(cluster.url);
    await node.cluster('ADDSLOTSRANGE', 0, 16383);
    while (!String(await node.cluster('INFO')).includes('cluster_state:ok')) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    node.disconnect();
    const replica = await startReplica(cluster.url.replace('redis://', 'redis+cluster://'), 'a');
    const budget = { usd: '1', window: 'week', mode: 'hard' } as const;
    const subjects = [
      subject('one', { requestsPerMinute: 5, tokensPerDay: 100, concurrency: 3 }, budget),
      { ...subject('{odd}', { requestsPerMinute: 5, concurrency: 2 }), kind: 'group' as const },
      user('{x}'),
    ];
    const admission = await ask(replica, subjects, { tokens: 10, money: 5 });
    assert.ok(admission);
    admission.settle({ tokens: 10, money: 5 });
    assert.equal(replica.limiter.replicas, 1);
    await replica.stop();
    assert.deepEqual(replica.said, [], 'nothing failed');
  } finally {
    await cluster.stop();
  }
});

test('a request that need not ask costs microseconds', async () => {
  const replica = await startReplica(server.url, name());
  const limits = { requestsPerMinute: 10 ** 9, tokensPerMinute: 10 ** 12, concurrency: 1_000 };
  const budget = { usd: '1000000', window: 'month', mode: 'hard' } as const;
  const subjects = [subject(name(), limits, budget), { ...subject(name(), limits), kind: 'group' as const }];
  const demand = { tokens: 1_000, money: 10 };
  let [took, count] = [Number.POSITIVE_INFINITY, 0];
  for (let round = 0; round < 200; round++) {
    const began = performance.now();
    for (let i = 0; i < 100; i++) {
      const outcome = replica.limiter.admit(subjects, demand, AT_ONCE);
      const admission = outcome instanceof Promise ? await outcome : outcome;
      assert.ok(!isRefusal(admission));
      admission.settle(demand);
      count++;
    }
    took = Math.min(took, (performance.now() - began) / 100);
    await new Promise((turn) => setImmediate(turn));
  }
  // Far more than it needs, for a machine that is busy with other things.
  assert.ok(took < 0.05, `${took} ms`);
  assert.ok(replica.limiter.counters.calls < count * 0.01, `${replica.limiter.counters.calls} calls for ${count}`);
  if (process.env.HEADGATE_TEST_TELL) console.log(`${took * 1000} us, ${replica.limiter.counters.calls} calls`);
  await replica.stop();
});
