import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { type Stack, startStack } from '../support/stack.ts';
import { type ChatBody, chat, question } from './chat-client.ts';
import { configuration, targetOf } from './configuration.ts';
import { Load } from './load.ts';
import { eventually, metrics, total } from './observe.ts';

const WORKERS = 2;

let stack: Stack;

before(async () => {
  stack = await startStack({ processes: WORKERS, config: ([simulator]) => configuration(simulator) });
});

after(() => stack.stop());

const quick: ChatBody = { model: 'test/one', messages: question('[[sim tokens=5]] quick') };
const streamed: ChatBody = {
  model: 'test/one',
  stream: true,
  messages: question('[[sim tokens=10 tps=100]] streamed'),
};

/** Every worker says so, in the metrics that one of them gathers. */
const redisIs = async (state: 'up' | 'down'): Promise<void> => {
  await eventually(
    `every worker says that Redis is ${state}`,
    async () => total(await metrics(stack), 'headgate_redis_up') === (state === 'up' ? WORKERS : 0),
    10_000,
  );
  const health = await fetch(`${stack.origin}/health/ready`);
  assert.equal(health.status, 200, 'ready while a snapshot is held');
  assert.equal(((await health.json()) as { redis: string }).redis, state);
};

const logged = (message: string): number => stack.logs('ingress').filter(({ msg }) => msg === message).length;

async function assertServes(load: Load): Promise<void> {
  await load.more(40);
  assert.deepEqual(load.failures, []);
  assert.equal((await chat({ port: stack.port, key: 'hg_unknown_key_0123456789' }, quick)).status, 401);
}

async function underLoad(use: (load: Load) => Promise<void>): Promise<void> {
  const loads = [new Load(targetOf(stack), 2, quick), new Load(targetOf(stack), 2, streamed)];
  const [first] = loads;
  assert.ok(first);
  try {
    await use(first);
  } finally {
    await Promise.all(loads.map((load) => load.stop()));
  }
  for (const load of loads) assert.deepEqual(load.failures, []);
}

test('Redis stopped and started again, empty, under load: no request fails, and control publishes anew', async () => {
  const [away, back] = [logged('Redis is away'), logged('Redis is back')];
  const { version, digest } = await stack.health();
  await underLoad(async (load) => {
    await assertServes(load);
    await stack.redis.halt();
    await redisIs('down');
    await assertServes(load);
    await stack.redis.startAgain();
    await redisIs('up');
    await assertServes(load);
  });
  assert.equal(logged('Redis is away') - away, WORKERS, 'one line a change of state');
  assert.equal(logged('Redis is back') - back, WORKERS);
  assert.equal((await stack.health()).digest, digest);
  const redis = new Redis(stack.redis.url);
  await eventually('control has published', async () => (await redis.dbsize()) > 0);
  redis.disconnect();
  // What is edited now must be newer than what is served, though Redis has forgotten how often it was edited.
  const config = configuration(stack.simulator(), {
    models: [{ id: 'test/after-loss', endpoints: [{ provider: 'alpha', model: 'one' }] }],
  });
  await stack.reconfigure(config);
  assert.equal((await chat(targetOf(stack), { ...quick, model: 'test/after-loss' })).status, 200);
  assert.ok(version !== undefined);
});

test('Redis frozen under load: no request waits for it, and it comes back by itself', async () => {
  await underLoad(async (load) => {
    stack.redis.pause();
    try {
      // Nothing answers until it is resumed, so whatever completes here has not waited.
      await assertServes(load);
      await redisIs('down');
      await assertServes(load);
    } finally {
      stack.redis.resume();
    }
    await redisIs('up');
    await assertServes(load);
  });
});

test('Redis emptied while it runs: control publishes anew, and the ingress keeps serving', async () => {
  const redis = new Redis(stack.redis.url);
  try {
    // What is measured or written down has names of its own each minute; BullMQ sets marks twice a minute.
    const keys = (await redis.keys('*')).filter((key) => /\{(config|limits)\}/.test(key));
    assert.ok(keys.length >= 3, keys.join(' '));
    await underLoad(async (load) => {
      await redis.flushall();
      await assertServes(load);
      await eventually('everything is there again', async () => {
        const now = await redis.keys('*');
        return keys.every((key) => now.includes(key));
      });
      await assertServes(load);
    });
  } finally {
    redis.disconnect();
  }
});

test('an ingress that starts without Redis is not ready, says so to callers, and becomes ready when Redis is there', async () => {
  await stack.kill('ingress', 'SIGTERM');
  await stack.redis.halt();
  stack.service('ingress').start();
  const health = await eventually('health', () => stack.health(), 15_000);
  assert.equal(health.status, 'no_configuration');
  assert.equal(health.redis, 'down');
  const answer = await chat(targetOf(stack), quick);
  assert.equal(answer.status, 503);
  assert.equal(answer.errors[0]?.code, 'not_ready');
  assert.equal(answer.headers['retry-after'], '1');
  await stack.redis.startAgain();
  await stack.ready();
  assert.equal((await chat(targetOf(stack), quick)).status, 200);
});

/** What goes out by the clock while there is something to tell, of two workers: the ledger, health, leases. */
const FLUSHES_A_SECOND = 40;

test('Redis at steady load: what goes out hangs on the clock, and hardly on the requests', async () => {
  const redis = new Redis(stack.redis.url);
  // What somebody sends at once; the commands that a script runs inside Redis are nobody's trip.
  const trips = async (): Promise<number> => Number(/total_reads_processed:(\d+)/.exec(await redis.info('stats'))?.[1]);
  try {
    await redisIs('up');
    const load = new Load(targetOf(stack), 4, quick);
    await load.more(50);
    await load.stop();

    const idleMs = 3_000;
    const beforeIdle = await trips();
    await delay(idleMs);
    const idlePerMs = ((await trips()) - beforeIdle) / idleMs;

    const started = performance.now();
    const before = await trips();
    const steady = new Load(targetOf(stack), 8, quick);
    await steady.more(500, 30_000);
    await steady.stop();
    const ran = (await trips()) - before;
    const elapsedMs = performance.now() - started;
    const polled = idlePerMs * elapsedMs;
    assert.deepEqual(steady.failures, []);
    // On a machine that is busy the same requests take longer, and see more flushes.
    const allowed = 0.01 * steady.answers.length + (FLUSHES_A_SECOND * elapsedMs) / 1_000;
    const said = `${ran} trips to Redis in ${elapsedMs} ms, ${polled} of them polling, ${steady.answers.length} requests`;
    assert.ok(ran - polled <= allowed, said);
  } finally {
    redis.disconnect();
  }
});
