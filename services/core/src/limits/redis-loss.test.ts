import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { createRequestClient, redisKeys } from '../redis/index.ts';
import { type RedisServer, startRedisServer } from '../redis/redis-server.testing.ts';
import type { Subject } from './contract.ts';
import { isRefusal } from './refusal.ts';
import { AT_ONCE, ask, type Replica, startReplica, subject } from './replica.testing.ts';

const NOTHING = { tokens: 0, money: 0 };
const DENY = { ...AT_ONCE, onRedisLoss: 'deny' } as const;

let server: RedisServer;
let replicas: Replica[] = [];

beforeEach(async () => {
  server = await startRedisServer();
});
afterEach(async () => {
  await Promise.all(replicas.map((replica) => replica.stop()));
  replicas = [];
  await server.stop();
});

const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

/** Replicas that know of one another. */
async function start(count: number): Promise<Replica[]> {
  for (let i = 0; i < count; i++) replicas.push(await startReplica(server.url, `r${i}`));
  await Promise.all(replicas.map(({ limiter }) => limiter.start()));
  return replicas;
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await pause(10);
}

const areUp = (): boolean => replicas.every(({ limiter }) => limiter.isUp);
const areAway = (): boolean => replicas.every(({ limiter }) => !limiter.isUp);

/** Asks with all replicas in turn, as long as `goesOn`; how many were let in. */
async function demand(of: Subject, goesOn: () => boolean, options = AT_ONCE): Promise<number> {
  let admitted = 0;
  while (goesOn()) {
    for (const replica of replicas) if (await ask(replica, [of], NOTHING, options)) admitted++;
    await pause(1);
  }
  return admitted;
}

function within(ms: number): () => boolean {
  const end = performance.now() + ms;
  return () => performance.now() < end;
}

test('frozen: nobody waits a second time, the share goes on, and what was spent is told', async () => {
  const all = await start(2);
  const perMinute = 1_200;
  const s = subject('frozen', { requestsPerMinute: perMinute });
  const began = performance.now();
  let admitted = await demand(s, within(50));
  // New replicas have a share only when the others have heard of them.
  await pause(2_500);
  server.pause();
  const goesOn = within(1_000);
  let waits = 0;
  let awaySpent = 0;
  while (goesOn()) {
    for (const { limiter } of all) {
      const wasAway = !limiter.isUp;
      const outcome = limiter.admit([s], NOTHING, AT_ONCE);
      if (outcome instanceof Promise) waits++;
      if (wasAway) assert.ok(!(outcome instanceof Promise));
      if (isRefusal(await outcome)) continue;
      admitted++;
      if (wasAway) awaySpent++;
    }
    await pause(1);
  }
  assert.ok(waits <= 2, `${waits} requests waited`);
  assert.ok(awaySpent >= 5, `${awaySpent} went on`);
  server.resume();
  await until(areUp);
  admitted += await demand(s, within(1_500));
  const most = perMinute + Math.floor(((performance.now() - began) * perMinute) / 60_000);
  assert.ok(admitted <= most, `${admitted} admitted, ${most} allowed`);
  assert.ok(admitted >= most * 0.9, `${admitted} admitted of ${most}`);
});

test('restarted without its data: no second full bucket, whoever asks first', async () => {
  const all = await start(3);
  const perMinute = 300;
  const s = subject('restarted', { requestsPerMinute: perMinute });
  const [first] = all;
  assert.ok(first);
  const began = performance.now();
  // One replica heard of it long ago, the others know better.
  let admitted = (await ask(first, [s])) ? 1 : 0;
  for (let i = 0; i < 250; i++) for (const replica of all.slice(1)) if (await ask(replica, [s])) admitted++;
  await server.restart();
  admitted += await demand(s, () => !areUp());
  assert.ok(all.every(({ said }) => said.join() === 'limits are kept without Redis,limits are kept in Redis again'));
  admitted += await demand(s, within(1_000));
  const most = perMinute + Math.floor(((performance.now() - began) * perMinute) / 60_000);
  assert.ok(admitted <= most, `${admitted} admitted, ${most} allowed`);
  assert.ok(admitted >= perMinute * 0.9, `${admitted} admitted of ${most}`);
});

for (const [how, meddle] of [
  [
    'frozen for longer than slots live',
    async () => {
      server.pause();
      await pause(4_600);
      server.resume();
    },
  ],
  ['restarted', () => server.restart()],
] as const) {
  test(`${how}: no more requests at one time than slots`, async () => {
    const all = await start(3);
    const s = subject('slots', { concurrency: 7 });
    let [now, most, served] = [0, 0, 0];
    let over = false;
    const client = async (replica: Replica): Promise<void> => {
      while (!over) {
        const admission = await ask(replica, [s]);
        if (!admission) {
          await pause(5);
          continue;
        }
        most = Math.max(most, ++now);
        served++;
        await pause(3);
        now--;
        admission.settle(NOTHING);
      }
    };
    const clients = all.flatMap((replica) => Array.from({ length: 5 }, () => client(replica)));
    await pause(300);
    await meddle();
    await until(areUp);
    const before = served;
    await until(() => served > before + 50);
    over = true;
    await Promise.all(clients);
    assert.ok(most <= 7, `${most} at one time`);
    assert.ok(most >= 6, `${most} at one time`);
  });
}

test('gone: deny refuses what it has no lease for, allow lets in what was left, and what comes in', async () => {
  const [a] = await start(1);
  assert.ok(a);
  const s = subject('denied', { requestsPerMinute: 600 });
  const began = performance.now();
  let admitted = 0;
  const spend = async (options = AT_ONCE): Promise<boolean> => {
    const isIn = (await ask(a, [s], NOTHING, options)) !== null;
    if (isIn) admitted++;
    return isIn;
  };
  assert.ok(await spend());
  await server.halt();
  await until(async () => !(await spend(DENY)));
  assert.ok(admitted < 20, `${admitted} leased`);
  const refused = await a.limiter.admit([s], NOTHING, DENY);
  assert.ok(isRefusal(refused));
  assert.deepEqual(
    [refused.error.status, refused.error.code, refused.limit],
    [429, 'limits_unavailable', 'redis loss'],
  );
  assert.equal(refused.error.retryAfterMs, 1_000);
  // Nobody shares it with this replica.
  while (await spend());
  const goesOn = within(1_000);
  while (goesOn()) if (!(await spend())) await pause(1);
  const most = 600 + (performance.now() - began) / 100;
  assert.ok(admitted >= most - 5 && admitted <= most, `${admitted} admitted of ${most}`);
});

test('silent for a moment: what may not go on without it waits, and is let in; what may go on does not wait', async () => {
  const [a] = await start(1);
  assert.ok(a);
  const cost = { tokens: 0, money: 10_000 };
  const hard = (id: string): Subject => subject(id, {}, { usd: '1', window: 'month', mode: 'hard' });
  const limited = (id: string): Subject => subject(id, { requestsPerMinute: 600 });
  // Answers were quick until now.
  for (let i = 0; i < 20; i++) await ask(a, [hard(`h${i}`)], cost);
  server.pause();
  const waiting = [
    a.limiter.admit([hard('first')], cost, AT_ONCE),
    a.limiter.admit([limited('denied')], NOTHING, DENY),
  ];
  await until(areAway);
  waiting.push(a.limiter.admit([hard('second')], cost, AT_ONCE));
  assert.ok(await ask(a, [limited('other')]));
  assert.ok(areAway(), 'that one waited');
  server.resume();
  for (const outcome of await Promise.all(waiting)) assert.ok(!isRefusal(outcome));
  assert.ok(areUp());
});

test('gone: a hard budget is spent from the lease only, a soft one is told afterwards', async () => {
  const [a] = await start(1);
  assert.ok(a);
  const hard = subject('hard', {}, { usd: '0.001', window: 'month', mode: 'hard' });
  const soft = subject('soft', {}, { usd: '0.001', window: 'month', mode: 'soft' });
  const cost = { tokens: 0, money: 10_000 };
  let spent = 0;
  const spend = async (): Promise<boolean> => {
    const admission = await ask(a, [hard], cost);
    admission?.settle(cost);
    if (admission) spent += cost.money;
    return admission !== null;
  };
  for (let i = 0; i < 10; i++) await spend();
  (await ask(a, [soft], cost))?.settle(cost);
  server.pause();
  // The lease ends, Redis does not answer, and it is away.
  await until(async () => !(await spend()));
  assert.ok(areAway());
  assert.ok(spent < 1_000_000);
  const outcome = await a.limiter.admit([hard], cost, AT_ONCE);
  assert.ok(isRefusal(outcome) && outcome.error.status === 429, 'not a word of funds: nobody knows');
  for (let i = 0; i < 99; i++) (await ask(a, [soft], cost))?.settle(cost);
  server.resume();
  await until(areUp);
  while (await spend());
  assert.equal(spent, 1_000_000);
  const client = createRequestClient(server.url, 'redis-loss-test');
  await new Promise<void>((ready) => client.once('ready', () => ready()));
  const key = redisKeys('test').limits.buckets('key:soft');
  await until(async () => Number(await client.hget(key, 'budget')) === 1_000_000);
  client.disconnect();
  const warned = await a.limiter.admit([soft], NOTHING, AT_ONCE);
  assert.equal(warned.status.budgetWarning, 'budget of 0.001 US dollars a month is used up');
});

test('away when a process starts: it starts, and joins in when Redis is there', async () => {
  const { url } = server;
  await server.halt();
  const client = createRequestClient(url, 'late');
  const { RedisLimiter } = await import('./index.ts');
  const log = { info: () => undefined, warn: () => undefined };
  const limiter = new RedisLimiter({ client, keys: redisKeys('test'), replicaId: 'late', log });
  await limiter.start();
  assert.equal(limiter.isUp, false);
  await server.startAgain();
  await until(() => limiter.isUp);
  const s = subject('late', { requestsPerMinute: 2 });
  const outcomes = [];
  for (let i = 0; i < 3; i++) outcomes.push(isRefusal(await limiter.admit([s], NOTHING, AT_ONCE)));
  assert.deepEqual(outcomes, [false, false, true]);
  await limiter.stop();
  client.disconnect();
});
