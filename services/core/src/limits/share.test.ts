import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createRequestClient, type RedisClient, redisKeys } from '../redis/index.ts';
import { type RedisServer, startRedisServer } from '../redis/redis-server.testing.ts';
import type { Lease } from './lease.ts';
import { subject } from './replica.testing.ts';
import { Shortages } from './shortages.ts';
import { type LeaseDesk, SubjectState } from './subject-state.ts';

const MINUTE_MS = 60_000;

let server: RedisServer;
let client: RedisClient;

before(async () => {
  server = await startRedisServer();
  client = createRequestClient(server.url, 'share-test');
  await new Promise<void>((ready) => client.once('ready', () => ready()));
});
after(async () => {
  client.disconnect();
  await server.stop();
});

interface Situation {
  readonly lease: Lease;
  readonly shortages: Shortages;
  /** Since when Redis is away. */
  readonly since: number;
}

/** One limit of one of so many replicas, which have just told each other `told`: by replica, amounts of this limit. */
function without(
  limits: Parameters<typeof subject>[1],
  { replicas = 2, told = {}, sure = true }: { replicas?: number; told?: Record<string, number>; sure?: boolean } = {},
): Situation {
  const shortages = new Shortages(() => undefined);
  const desk: LeaseDesk = {
    client,
    keys: redisKeys('test').limits,
    replicaId: 'a',
    replicas,
    shortages,
    surelyAway: () => sure,
    reserveMs: () => 0,
    serverId: '',
    called: () => undefined,
    answered: () => undefined,
  };
  const { leases, key } = new SubjectState(subject('shared', limits), desk);
  const [lease] = leases;
  assert.ok(lease);
  const since = performance.now();
  const texts = Object.entries(told).map(([replica, amount]) => [
    replica,
    JSON.stringify([[key, lease.unit.name, amount]]),
  ]);
  shortages.hear(new Map(texts as [string, string][]), since - 100);
  return { lease, shortages, since };
}

/** How many requests are let in at one moment. */
function letIn({ lease, since }: Situation, now: number): number {
  let count = 0;
  for (; count < 10_000 && lease.hasShare(1, since, now); count++) lease.takeShare(1);
  return count;
}

describe('without Redis, of a bucket', () => {
  test('a part of what was left is there at once, all of it for who is alone', () => {
    const two = without({ requestsPerMinute: 600 });
    assert.equal(letIn(two, two.since), 150);
    const alone = without({ requestsPerMinute: 600 }, { replicas: 1 });
    assert.equal(letIn(alone, alone.since), 600);
  });

  test('that others told to be short there is less, or nothing', () => {
    const short = without({ requestsPerMinute: 600 }, { told: { b: 200, c: 40 }, replicas: 4 });
    assert.equal(letIn(short, short.since), 5);
    const empty = without({ requestsPerMinute: 600 }, { told: { b: 0 } });
    assert.equal(letIn(empty, empty.since), 0);
  });

  test('one request, while Redis may only be slow', () => {
    const slow = without({ requestsPerMinute: 600 }, { sure: false });
    assert.equal(letIn(slow, slow.since), 1);
  });

  test('an equal part of what comes in, for as long as it takes', () => {
    const situation = without({ requestsPerMinute: 600 });
    letIn(situation, situation.since);
    let later = 0;
    for (let ms = 50; ms <= 30 * MINUTE_MS; ms += 50) later += letIn(situation, situation.since + ms);
    assert.ok(Math.abs(later - 30 * 300) <= 1, `${later} in half an hour`);
  });

  test('not what came in while nobody asked for an hour, beyond its part of a full one', () => {
    const situation = without({ requestsPerMinute: 600 });
    letIn(situation, situation.since);
    assert.equal(letIn(situation, situation.since + 60 * MINUTE_MS), 300);
  });
});

describe('without Redis, of slots', () => {
  test('an equal part is there at once, all for who is alone, one at least', () => {
    for (const [concurrency, replicas, expected] of [
      [50, 2, 25],
      [7, 3, 2],
      [50, 1, 50],
      [1, 4, 1],
    ] as const) {
      const situation = without({ concurrency }, { replicas });
      assert.equal(letIn(situation, situation.since), expected, `${concurrency} for ${replicas}`);
    }
  });

  test('what others told that they hold is theirs', () => {
    for (const [told, expected] of [
      [{ b: 40 }, 5],
      [{ b: 30, c: 20 }, 0],
      [{ b: 26, c: 20 }, 4],
    ] as const) {
      const situation = without({ concurrency: 50 }, { replicas: 3, told });
      assert.equal(letIn(situation, situation.since), expected, JSON.stringify(told));
    }
    const single = without({ concurrency: 1 }, { told: { b: 1 } });
    assert.equal(letIn(single, single.since), 0, 'the only one is in use');
  });

  test('one, while Redis may only be slow', () => {
    const slow = without({ concurrency: 50 }, { sure: false });
    assert.equal(letIn(slow, slow.since), 1);
  });

  test('an equal part when all that was leased has expired, whatever was told', () => {
    const situation = without({ concurrency: 50 }, { told: { b: 50 } });
    assert.equal(letIn(situation, situation.since + 4_100), 0);
    assert.equal(letIn(situation, situation.since + 8_100), 25);
  });
});

describe('what replicas tell each other', () => {
  const shortage = (amount: number, unit: 'concurrency' | 'tokensPerMinute' = 'concurrency') => ({
    key: 'key:a',
    unit,
    amount,
    step: 2,
  });

  test('is told with each heartbeat until it is over, and at once when it becomes worse', () => {
    let news = 0;
    const mine = new Shortages(() => void news++);
    const theirs = new Shortages(() => undefined);
    let held: number | null = 5;
    const teller = { shortage: () => (held === null ? null : shortage(held)) };
    mine.note(teller, 0);
    assert.equal(news, 1);
    theirs.hearNews('a', mine.tellNews(0), 0);
    assert.equal(theirs.of('key:a', 'concurrency')?.sum, 5);
    for (const [amount, expected] of [
      [6, 1],
      [3, 1],
      [7, 2],
    ] as const) {
      held = amount;
      mine.note(teller, 1);
      assert.equal(news, expected, `${amount} held`);
    }
    theirs.hear(new Map([['a', mine.tell(1)]]), 5_000);
    assert.deepEqual(theirs.of('key:a', 'concurrency'), { sum: 7, least: 7, replicas: 1 });
    held = null;
    assert.equal(mine.tell(2), '');
    theirs.hear(new Map(), 6_000);
    assert.equal(theirs.of('key:a', 'concurrency'), null);
  });

  test('news outlive a heartbeat that was sent before them', () => {
    const theirs = new Shortages(() => undefined);
    const text = (amount: number): string => JSON.stringify([['key:a', 'tokensPerMinute', amount]]);
    theirs.hearNews('a', text(10), 1_000);
    theirs.hear(new Map([['a', text(80)]]), 1_100);
    assert.equal(theirs.of('key:a', 'tokensPerMinute')?.least, 10);
    theirs.hear(new Map([['a', text(80)]]), 4_000);
    assert.equal(theirs.of('key:a', 'tokensPerMinute')?.least, 80);
  });

  test('may be what this version does not understand', () => {
    const theirs = new Shortages(() => undefined);
    for (const text of ['{', '{}', '[1]', '[["key:a"]]', '[["key:a","concurrency","many"]]', 'null']) {
      theirs.hear(new Map([['a', text]]), 0);
      theirs.hearNews('a', text, 0);
    }
    assert.equal(theirs.of('key:a', 'concurrency'), null);
  });
});
