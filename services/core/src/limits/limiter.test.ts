import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { createRequestClient, type RedisClient } from '../redis/index.ts';
import { type RedisServer, startRedisServer } from '../redis/redis-server.testing.ts';
import type { Subject } from './contract.ts';
import { isRefusal } from './index.ts';
import { AT_ONCE, ask, type Replica, startReplica, subject } from './replica.testing.ts';

let server: RedisServer;
let client: RedisClient;
let replicas: Replica[] = [];
let serial = 0;

before(async () => {
  server = await startRedisServer();
  client = createRequestClient(server.url, 'limits-test');
  await new Promise<void>((ready) => client.once('ready', () => ready()));
});
after(async () => {
  client.disconnect();
  await server.stop();
});
beforeEach(async () => {
  await Promise.all(replicas.map((replica) => replica.stop()));
  replicas = [];
});
after(() => Promise.all(replicas.map((replica) => replica.stop())));

async function start(count: number): Promise<Replica[]> {
  for (let i = 0; i < count; i++) replicas.push(await startReplica(server.url, `r${serial++}`));
  // Now each hears of all.
  await Promise.all(replicas.map(({ limiter }) => limiter.start()));
  return replicas;
}

const one = async (): Promise<Replica> => {
  const [first] = await start(1);
  assert.ok(first);
  return first;
};

const name = (): string => `s${serial++}`;

async function commands(): Promise<number> {
  const text = await client.info('stats');
  return Number(/total_commands_processed:(\d+)/.exec(text)?.[1]);
}

describe('what headers tell', () => {
  test('without a request: of what others used, too, once Redis was asked; nothing is spent by it', async () => {
    const [a, b] = await start(2);
    assert.ok(a && b);
    const s = subject(name(), { requestsPerDay: 1_000 });
    for (let i = 0; i < 600; i++) assert.ok(await ask(a, [s]));
    const remaining = (): number => b.limiter.statusOf([s]).requests?.remaining ?? -1;
    assert.equal(remaining(), 1_000);
    while (remaining() > 400) await delay(1);
    assert.ok(remaining() > 0 && b.limiter.statusOf([s]).tokens === null);
    assert.equal(b.limiter.counters.admitted, 0);
    // What the first one has in hand comes back.
    await a.stop();
    let more = 0;
    while (await ask(b, [s])) more++;
    assert.equal(more, 400);
  });
});

describe('a bucket', () => {
  test('lets in what it holds, to the last one, then says when to come back', async () => {
    const replica = await one();
    const s = subject(name(), { requestsPerMinute: 10 });
    for (let i = 0; i < 10; i++) assert.ok(await ask(replica, [s]), `request ${i}`);
    const outcome = await replica.limiter.admit([s], { tokens: 0, money: 0 }, AT_ONCE);
    assert.ok(isRefusal(outcome));
    const { error } = outcome;
    assert.deepEqual(
      [error.status, error.type, error.code, error.param],
      [429, 'rate_limit_exceeded', 'rate_limit_exceeded', 'requestsPerMinute'],
    );
    assert.ok((error.retryAfterMs ?? 0) > 4_000 && (error.retryAfterMs ?? 0) <= 6_000, String(error.retryAfterMs));
    assert.match(error.message, /10 requests per minute/);
    const { requests } = outcome.status;
    assert.deepEqual([requests?.limit, requests?.remaining], [10, 0]);
    assert.ok((requests?.resetMs ?? 0) > 50_000);
  });

  test('shared by eight replicas in a storm: never more than it holds and gets, hardly less', async () => {
    const all = await start(8);
    const perMinute = 3_000;
    const s = all.map(() => subject('storm', { requestsPerMinute: perMinute }));
    const began = performance.now();
    let admitted = 0;
    let asked = 0;
    await Promise.all(
      all.flatMap((replica, i) =>
        Array.from({ length: 10 }, async () => {
          while (performance.now() - began < 2_000) {
            asked++;
            if (await ask(replica, [s[i] as Subject])) admitted++;
            else await new Promise((done) => setTimeout(done, 2));
          }
        }),
      ),
    );
    const most = perMinute + ((performance.now() - began) * perMinute) / 60_000;
    assert.ok(admitted <= most, `${admitted} admitted, ${most} allowed`);
    // A replica may have a lease in hand that it had no time to spend.
    const refused = asked - admitted;
    // Each replica may hold a small lease in the end.
    assert.ok(refused - (asked - most) < asked * 0.01 + 64, `${refused} refused of ${asked}, ideal ${asked - most}`);
  });

  test('of tokens: reserved at first, settled with what was used', async () => {
    const replica = await one();
    const s = subject(name(), { tokensPerMinute: 1_000 });
    const first = await ask(replica, [s], { tokens: 900, money: 0 });
    assert.ok(first);
    assert.equal(await ask(replica, [s], { tokens: 200, money: 0 }), null);
    first.settle({ tokens: 300, money: 0 });
    first.settle({ tokens: 0, money: 0 });
    first.release();
    assert.ok(await ask(replica, [s], { tokens: 600, money: 0 }), 'what was not used is there again, once');
    assert.equal(await ask(replica, [s], { tokens: 600, money: 0 }), null);
    const big = await replica.limiter.admit([s], { tokens: 5_000, money: 0 }, AT_ONCE);
    assert.ok(isRefusal(big) && big.error.shouldRetry === false, 'it will never fit');
  });

  test('of tokens a day: what another replica only reserved is there again a moment later', async () => {
    const [a, b] = await start(2);
    assert.ok(a && b);
    const s = subject(name(), { tokensPerDay: 2_000 });
    const large = { tokens: 1_500, money: 0 };
    const first = await ask(a, [s], large);
    assert.ok(first);
    for (const replica of [a, b]) {
      const refused = await replica.limiter.admit([s], large, AT_ONCE);
      assert.ok(isRefusal(refused));
      assert.ok(
        (refused.error.retryAfterMs ?? 0) <= 1_000,
        `hours, for what may come back at once: ${refused.error.retryAfterMs}`,
      );
    }
    first.settle({ tokens: 12, money: 0 });
    for (let i = 0; i < 20; i += 1) {
      const next = await ask(i % 2 === 0 ? b : a, [s], large);
      assert.ok(next, `${i}: 12 tokens of 2,000 a request`);
      next.settle({ tokens: 12, money: 0 });
    }
    (await ask(b, [s], large))?.settle({ tokens: 1_500, money: 0 });
    // As soon as b has told it: what was used does not come back.
    for (let retryAfterMs = 0; retryAfterMs < 3_600_000; await delay(20)) {
      const spent = await a.limiter.admit([s], large, AT_ONCE);
      assert.ok(isRefusal(spent));
      retryAfterMs = spent.error.retryAfterMs ?? 0;
    }
  });

  test('that was overdrawn makes later requests wait', async () => {
    const replica = await one();
    const s = subject(name(), { tokensPerMinute: 1_000 });
    (await ask(replica, [s], { tokens: 100, money: 0 }))?.settle({ tokens: 1_500, money: 0 });
    assert.equal(await ask(replica, [s], { tokens: 1, money: 0 }), null);
  });

  test('holds for several subjects together, or for none', async () => {
    const replica = await one();
    const key = subject(name(), { requestsPerMinute: 100 });
    const group: Subject = { ...subject(name(), { requestsPerMinute: 2 }), kind: 'group' };
    assert.ok(await ask(replica, [key, group]));
    assert.ok(await ask(replica, [key, group]));
    const outcome = await replica.limiter.admit([key, group], { tokens: 0, money: 0 }, AT_ONCE);
    assert.ok(isRefusal(outcome));
    assert.match(outcome.error.message, /group/);
    for (let i = 0; i < 98; i++) assert.ok(await ask(replica, [key]), 'the refused request took nothing of the key');
    assert.equal(await ask(replica, [key]), null);
  });

  test('costs few commands', async () => {
    const [a, b] = await start(2);
    assert.ok(a && b);
    const s = subject(name(), { requestsPerMinute: 600_000, tokensPerMinute: 600_000_000, concurrency: 500 });
    const before = await commands();
    for (let round = 0; round < 100; round++) {
      await Promise.all(
        [a, b].flatMap((replica) =>
          Array.from({ length: 20 }, async () => {
            const admission = await ask(replica, [s], { tokens: 100, money: 0 });
            assert.ok(admission);
            await new Promise((done) => setImmediate(done));
            admission.settle({ tokens: 50, money: 0 });
          }),
        ),
      );
      await new Promise((done) => setTimeout(done, 10));
    }
    const calls = a.limiter.counters.calls + b.limiter.counters.calls;
    assert.ok(calls < 4_000 * 0.02, `${calls} calls for 4,000 requests`);
    const spent = (await commands()) - before;
    assert.ok(spent < 4_000 * 0.5, `${spent} commands, those inside scripts included`);
  });
});

describe('slots', () => {
  test('are never more than the limit, and come free', async () => {
    const all = await start(4);
    const s = subject('slots', { concurrency: 10 });
    let now = 0;
    let most = 0;
    let served = 0;
    await Promise.all(
      all.flatMap((replica) =>
        Array.from({ length: 10 }, async () => {
          for (let i = 0; i < 30; i++) {
            const admission = await ask(replica, [s]);
            if (admission) {
              most = Math.max(most, ++now);
              served++;
              await new Promise((done) => setTimeout(done, 1));
              now--;
              admission.settle({ tokens: 0, money: 0 });
            } else await new Promise((done) => setTimeout(done, 3));
          }
        }),
      ),
    );
    assert.ok(most <= 10, `${most} at one time`);
    assert.ok(served > 100);
  });

  test('come free with the answer, though what it used is found out later', async () => {
    const [a] = await start(1);
    assert.ok(a);
    const s = subject(name(), { concurrency: 1, tokensPerMinute: 1_000 });
    const first = (await ask(a, [s], { tokens: 600, money: 0 })) ?? assert.fail();
    assert.equal(await ask(a, [s], { tokens: 1, money: 0 }), null);
    first.answered();
    const second = (await ask(a, [s], { tokens: 300, money: 0 })) ?? assert.fail();
    assert.equal(await ask(a, [s], { tokens: 1, money: 0 }), null, 'one came free, and not two');
    first.settle({ tokens: 100, money: 0 });
    assert.equal(await ask(a, [s], { tokens: 1, money: 0 }), null, 'it came free before');
    second.release();
    const third = (await ask(a, [s], { tokens: 850, money: 0 })) ?? assert.fail();
    third.settle({ tokens: 850, money: 0 });
    third.answered();
    assert.ok(await ask(a, [s], { tokens: 1, money: 0 }));
    assert.equal(await ask(a, [s], { tokens: 1, money: 0 }), null);
  });

  test('of a replica that died are given to others', async () => {
    const [a, b] = await start(2);
    assert.ok(a && b);
    const s = subject(name(), { concurrency: 1 });
    assert.ok(await ask(a, [s]));
    assert.equal(await ask(b, [s]), null);
    a.die();
    const began = performance.now();
    while (!(await ask(b, [s]))) {
      assert.ok(performance.now() - began < 8_000, 'in time');
      await new Promise((done) => setTimeout(done, 50));
    }
  });
});

describe('a budget', () => {
  const dollars = (usd: string, mode: 'hard' | 'soft' | 'shadow') => ({ usd, window: 'month', mode }) as const;

  test('that is hard is never overspent, over all replicas', async () => {
    const all = await start(4);
    const s = subject('hard', {}, dollars('0.001', 'hard'));
    let spent = 0;
    await Promise.all(
      all.map(async (replica) => {
        for (let i = 0; i < 60; i++) {
          const admission = await ask(replica, [s], { tokens: 0, money: 10_000 });
          admission?.settle({ tokens: 0, money: 7_000 });
          if (admission) spent += 7_000;
        }
      }),
    );
    assert.ok(spent <= 1_000_000, String(spent));
    assert.ok(spent >= 1_000_000 - 4 * 20_000, String(spent));
    const [replica] = all;
    const outcome = await replica?.limiter.admit([s], { tokens: 0, money: 1_000_000 }, AT_ONCE);
    assert.ok(outcome && isRefusal(outcome));
    assert.deepEqual([outcome.error.status, outcome.error.type], [402, 'insufficient_funds']);
    assert.match(outcome.error.message, /0\.001 US dollars a month.*renewed at \d{4}-/);
  });

  test('that is soft does not take for spent what is only reserved', async () => {
    const replica = await one();
    const s = subject(name(), {}, dollars('0.001', 'soft'));
    for (let i = 0; i < 4; i++) {
      const admission = await ask(replica, [s], { tokens: 0, money: 5_000_000 });
      assert.ok(admission);
      assert.equal(admission.status.budgetWarning, '');
      admission.settle({ tokens: 0, money: 1_000 });
    }
  });

  test('that is soft warns, that is a shadow says nothing', async () => {
    const replica = await one();
    for (const mode of ['soft', 'shadow'] as const) {
      const s = subject(name(), {}, dollars('0.001', mode));
      for (let i = 0; i < 3; i++) {
        const admission = await ask(replica, [s], { tokens: 0, money: 600_000 });
        assert.ok(admission);
        admission.settle({ tokens: 0, money: 600_000 });
      }
      const began = performance.now();
      for (;;) {
        const admission = await ask(replica, [s], { tokens: 0, money: 0 });
        assert.ok(admission);
        const { budgetWarning } = admission.status;
        if (mode === 'shadow') {
          assert.equal(budgetWarning, '');
          break;
        }
        if (budgetWarning !== '') break;
        assert.ok(performance.now() - began < 5_000);
        await new Promise((done) => setTimeout(done, 50));
      }
    }
  });
});

describe('a queue', () => {
  test('lets wait in turn in place of a refusal, not too many and not too long', async () => {
    const replica = await one();
    const s = subject(name(), { concurrency: 1 });
    const first = await ask(replica, [s]);
    assert.ok(first);
    const queue = { maxWaitMs: 20_000, maxWaiting: 5 };
    const order: number[] = [];
    let refused = 0;
    let turnedAway: () => void = () => undefined;
    const three = new Promise<void>((done) => {
      turnedAway = done;
    });
    const waiting = Array.from({ length: 8 }, async (_, i) => {
      const admission = await ask(replica, [s], { tokens: 0, money: 0 }, { ...AT_ONCE, queue });
      if (admission === null) {
        if (++refused === 3) turnedAway();
        return;
      }
      order.push(i);
      admission.settle({ tokens: 0, money: 0 });
    });
    await three;
    assert.deepEqual(order, []);
    first.settle({ tokens: 0, money: 0 });
    await Promise.all(waiting);
    assert.deepEqual(order, [0, 1, 2, 3, 4]);
    const again = await ask(replica, [s]);
    assert.ok(again);
    const short = { ...AT_ONCE, queue: { maxWaitMs: 5, maxWaiting: 5 } };
    assert.equal(await ask(replica, [s], { tokens: 0, money: 0 }, short), null);
    again.settle({ tokens: 0, money: 0 });
  });

  test('for a slot', async () => {
    const replica = await one();
    const s = subject(name(), { concurrency: 1 });
    const first = await ask(replica, [s]);
    const options = { ...AT_ONCE, queue: { maxWaitMs: 2_000, maxWaiting: 5 } };
    const second = ask(replica, [s], { tokens: 0, money: 0 }, options);
    first?.settle({ tokens: 0, money: 0 });
    assert.ok(await second);
  });
});
