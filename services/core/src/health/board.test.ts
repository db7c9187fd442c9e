import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { createRequestClient, type RedisClient } from '../redis/index.ts';
import { type RedisServer, startRedisServer } from '../redis/redis-server.testing.ts';
import { answered, attempt, Boards, breakerOf, eventually, NEVER_MS, outage, POLICY, until } from './board.testing.ts';
import type { HealthBoard } from './index.ts';

const KEY = 'openai:gpt';

let server: RedisServer;
let client: RedisClient;
let boards: Boards;

before(async () => {
  server = await startRedisServer();
  client = createRequestClient(server.url, 'test');
  await new Promise((resolve) => client.once('ready', resolve));
});
beforeEach(async () => {
  await client.flushall();
  boards = new Boards({ redisUrl: server.url, pollMs: NEVER_MS });
});
afterEach(() => boards.stop());
after(async () => {
  client.disconnect();
  await server.stop();
});

describe('two replicas', () => {
  test('what fails on one is avoided by the other within 100 ms, and comes back with one answer', async () => {
    const [one, other] = [await boards.add(), await boards.add()];
    const { version } = other.view();
    const failedAt = performance.now();
    outage(one, KEY);
    await until(other, () => breakerOf(other, KEY) === 'open');
    const took = performance.now() - failedAt;
    assert.ok(took < 100, `${took} ms`);
    assert.ok(other.view().version > version);
    assert.deepEqual(
      other.open().map(({ endpointKey, probing }) => [endpointKey, probing]),
      [[KEY, false]],
    );
    await until(one, () => breakerOf(one, KEY) === 'open');
    answered(one, KEY);
    await until(other, () => breakerOf(other, KEY) === 'closed');
    assert.deepEqual(other.open(), []);
    assert.equal(boards.lines.filter((line) => line.startsWith('circuit breaker open')).length, 1);
    assert.equal(boards.lines.filter((line) => line.startsWith('circuit breaker closed')).length, 1);
  });

  test('failures in a row are counted over all of them; an answer in between counts, too', async () => {
    const [one, other] = [await boards.add(), await boards.add()];
    attempt(one, KEY);
    attempt(one, KEY);
    answered(one, KEY);
    attempt(one, KEY);
    await one.stop();
    attempt(other, KEY);
    await other.stop();
    const third = await boards.add();
    assert.equal(breakerOf(third, KEY), 'closed');
    attempt(third, KEY);
    await until(third, () => breakerOf(third, KEY) === 'open');
  });

  test('one that comes later knows from the start', async () => {
    const one = await boards.add();
    outage(one, KEY);
    await until(one, () => breakerOf(one, KEY) === 'open');
    const late = await boards.add();
    assert.equal(breakerOf(late, KEY), 'open');
  });

  test('an attempt that began before the breaker opened proves nothing', async () => {
    const [one, other] = [await boards.add(), await boards.add()];
    const startedAt = performance.now();
    outage(one, KEY);
    await until(other, () => breakerOf(other, KEY) === 'open');
    answered(other, KEY, { startedAt });
    answered(other, 'openai:other');
    await other.stop();
    assert.equal(breakerOf(await boards.add(), KEY), 'open');
  });

  test('a 429 cools the endpoint as long as it says; a refused key cools all endpoints of the provider', async () => {
    const [one, other] = [await boards.add(), await boards.add()];
    attempt(one, KEY, { failure: 'rate_limited', status: 429, retryAfterMs: 4_000 });
    await until(other, () => (other.view().of(KEY)?.coolUntil ?? 0) > 0);
    const left = (other.view().of(KEY)?.coolUntil ?? 0) - other.view().now;
    assert.ok(left > 3_000 && left <= 4_010, `${left} ms`);
    assert.equal(breakerOf(other, KEY), 'closed');
    assert.equal(other.view().of('openai:never-heard-of'), undefined);

    attempt(one, KEY, { failure: 'auth', status: 401 });
    await until(other, () => (other.view().of(KEY)?.coolUntil ?? 0) > other.view().now + 20_000);
    assert.ok((other.view().of('openai:never-heard-of')?.coolUntil ?? 0) > other.view().now + 20_000);
    assert.equal(other.view().of('mistral:m')?.coolUntil, 0);
  });

  test('what the caller did wrong is an answer', async () => {
    const one = await boards.add();
    outage(one, KEY);
    await until(one, () => breakerOf(one, KEY) === 'open');
    attempt(one, KEY, { failure: 'context_length', status: 400 });
    await until(one, () => breakerOf(one, KEY) === 'closed');
  });
});

describe('permits', () => {
  test('of ten replicas that ask at once one gets it; it is planned once, and its answer closes the breaker', async () => {
    const all = await Promise.all(Array.from({ length: 10 }, () => boards.add()));
    const [first] = all;
    assert.ok(first);
    outage(first, KEY);
    await Promise.all(all.map((board) => until(board, () => breakerOf(board, KEY) === 'open')));
    await eventually(() => all.every((board) => board.view().of(KEY)?.probeDue));
    for (const board of all) board.wanted(KEY);
    // Those who were refused know that somebody else has it.
    await eventually(() => all.every((board) => board.view().of(KEY)?.probeDue === false));
    const holders = all.filter((board) => breakerOf(board, KEY) === 'half_open');
    assert.equal(holders.length, 1);
    const [holder] = holders;
    assert.ok(holder);
    assert.ok(all.every((board) => board.describe()[0]?.breaker === 'half_open'));
    for (const board of all) board.wanted(KEY);

    holder.takePermit(KEY);
    assert.equal(breakerOf(holder, KEY), 'open', 'nobody else plans it as if it were well');
    answered(holder, KEY);
    await Promise.all(all.map((board) => until(board, () => breakerOf(board, KEY) === 'closed')));
  });

  test('a probe that fails doubles the cool-down up to its maximum; failures without a permit do not', async () => {
    const [one, other] = [await boards.add(), await boards.add()];
    outage(one, KEY);
    const openFor: number[] = [];
    for (let times = 0; times < 4; times++) {
      await until(one, () => breakerOf(one, KEY) === 'open');
      const [entry] = one.open();
      assert.ok(entry);
      openFor.push(entry.openUntil - entry.openedAt);
      outage(other, KEY);
      await eventually(() => one.view().of(KEY)?.probeDue === true);
      one.wanted(KEY);
      await until(one, () => breakerOf(one, KEY) === 'half_open');
      attempt(one, KEY, { failure: 'silent' });
      await until(one, () => (one.open()[0]?.openedAt ?? 0) > entry.openedAt);
    }
    assert.deepEqual(openFor, [50, 100, 200, 200]);
  });

  describe('a trial whose answer takes its time', () => {
    /** Its first content has come; `startedAt` tells its end from others. */
    async function answering(): Promise<{ one: HealthBoard; other: HealthBoard; startedAt: number }> {
      const [one, other] = [await boards.add(), await boards.add()];
      outage(one, KEY);
      await eventually(() => one.view().of(KEY)?.probeDue === true && other.view().of(KEY)?.probeDue === true);
      one.wanted(KEY);
      await until(one, () => breakerOf(one, KEY) === 'half_open');
      assert.equal(one.began(KEY), true);
      assert.equal(other.began(KEY), false);
      other.abandoned(KEY);
      const startedAt = performance.now();
      one.answering(KEY, startedAt);
      return { one, other, startedAt };
    }
    const outcome = { endpointKey: KEY, provider: 'openai', retryAfterMs: undefined, ttftMs: 5, tokensPerSecond: null };
    const stored = async () => JSON.parse((await client.hget('t:{health}:breakers', KEY)) ?? '{}');

    test('closes the breaker for all with its first content, and counts once when it ends well', async () => {
      const { one, other, startedAt } = await answering();
      await Promise.all([one, other].map((board) => until(board, () => breakerOf(board, KEY) === 'closed')));
      assert.equal(one.view().of(KEY)?.inFlight, 1);
      assert.equal(one.began(KEY), false, 'nobody is on trial any more');
      one.abandoned(KEY);
      one.ended({ ...outcome, failure: null, status: 200, startedAt });
      await Promise.all([one.stop(), other.stop()]);
      assert.equal((await stored()).successesMicro, '1000000');
    });

    test('is a failure like any other when it breaks later', async () => {
      const { one, other, startedAt } = await answering();
      await until(one, () => breakerOf(one, KEY) === 'closed');
      one.ended({ ...outcome, failure: 'stream_broken', status: 200, startedAt });
      await eventually(async () => (await stored()).consecutiveFailures === 1);
      assert.equal(breakerOf(one, KEY), 'closed');
      for (let times = 1; times < POLICY.consecutiveFailures; times++) attempt(one, KEY);
      await Promise.all([one, other].map((board) => until(board, () => breakerOf(board, KEY) === 'open')));
    });

    test('also when it breaks before Redis has heard of its content', async () => {
      const { one, startedAt } = await answering();
      one.ended({ ...outcome, failure: 'stream_broken', status: 200, startedAt });
      await eventually(async () => (await stored()).consecutiveFailures === 1);
      assert.equal(breakerOf(one, KEY), 'closed');
    });

    test('leaves nothing behind when its client leaves', async () => {
      const { one, other } = await answering();
      one.abandoned(KEY);
      await until(other, () => breakerOf(other, KEY) === 'closed');
      assert.equal(one.view().of(KEY)?.inFlight, 0);
    });

    test('proves nothing where it held no permit', async () => {
      const one = await boards.add();
      outage(one, KEY);
      await until(one, () => breakerOf(one, KEY) === 'open');
      assert.equal(one.began(KEY), false);
      one.answering(KEY, performance.now());
      one.answering('openai:never-heard-of', performance.now());
      await one.stop();
      assert.equal((await stored()).open, true);
    });
  });

  test('one that is given back can be had again at once', async () => {
    const [one, other] = [await boards.add(), await boards.add()];
    outage(one, KEY);
    await eventually(() => one.view().of(KEY)?.probeDue === true && other.view().of(KEY)?.probeDue === true);
    one.wanted(KEY);
    await until(one, () => breakerOf(one, KEY) === 'half_open');
    one.began(KEY);
    assert.equal(breakerOf(one, KEY), 'open');
    await until(other, () => other.view().of(KEY)?.probeDue === false);
    one.abandoned(KEY);
    await until(other, () => other.view().of(KEY)?.probeDue === true);
    other.wanted(KEY);
    await until(other, () => breakerOf(other, KEY) === 'half_open');
  });

  test('active probes take the same permit; a dead prober only delays, and its late word does not count', async () => {
    const [control, ingress] = [await boards.add(), await boards.add()];
    outage(ingress, KEY);
    await until(control, () => control.open().length === 1);
    assert.equal(await control.acquireProbe(KEY), null, 'not due yet');
    await eventually(() => control.view().of(KEY)?.probeDue === true);
    const dead = await control.acquireProbe(KEY, 80);
    assert.ok(dead);
    assert.equal(await control.acquireProbe(KEY), null);
    assert.equal(await ingress.acquireProbe(KEY), null);
    await eventually(() => control.view().of(KEY)?.probeDue === true);
    const permit = await control.acquireProbe(KEY);
    assert.ok(permit && permit.id > dead.id);
    await control.reportProbe(dead, { failure: 'silent', retryAfterMs: undefined, status: null });
    assert.equal(control.open()[0]?.probing, true);
    await control.reportProbe(permit, { failure: null, retryAfterMs: undefined, status: 200 });
    assert.deepEqual(control.open(), []);
    await until(ingress, () => breakerOf(ingress, KEY) === 'closed');
    assert.equal(await control.acquireProbe('openai:never-heard-of'), null);
  });
});

test('requests in flight are counted here, and a listener that throws harms nobody', async () => {
  const one = await boards.add();
  one.onChange(() => {
    throw new Error('a bug elsewhere');
  });
  one.began(KEY);
  one.began(KEY);
  assert.equal(one.view().of(KEY)?.inFlight, 2);
  one.abandoned(KEY);
  answered(one, KEY);
  assert.equal(one.view().of(KEY)?.inFlight, 1);
  outage(one, KEY);
  await until(one, () => breakerOf(one, KEY) === 'open');
  assert.match(boards.lines.join('\n'), /a listener of health failed/);
});

test('endpoints that are configured no more are forgotten; those in use are not', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const one = await boards.add({ known: () => ['openai:kept'] });
  for (const key of ['openai:kept', 'openai:gone']) answered(one, key);
  one.began('openai:used');
  t.mock.timers.tick(60_000);
  assert.deepEqual(
    one.describe().map(({ endpointKey }) => endpointKey),
    ['openai:kept', 'openai:used'],
  );
});

test('a burst of thousands costs a handful of commands', async () => {
  const one = await boards.add({ flushMs: NEVER_MS });
  const before = await commandsOf();
  for (let times = 0; times < 1_000; times++) answered(one, KEY, { ttftMs: 100 + times, tokensPerSecond: 50 });
  for (let times = 0; times < 5_000; times++) attempt(one, 'anthropic:claude');
  await until(one, () => breakerOf(one, 'anthropic:claude') === 'open');
  for (let times = 0; times < 5_000; times++) attempt(one, 'anthropic:claude');
  await one.stop();
  assert.ok((await commandsOf()) - before <= 6, `${(await commandsOf()) - before} scripts were run`);
  const { breakers } = await client.hgetall('t:{health}:breakers').then((all) => ({ breakers: Object.keys(all) }));
  assert.deepEqual(breakers.sort(), ['anthropic:claude', KEY]);
});

async function commandsOf(): Promise<number> {
  const stats = await client.info('commandstats');
  return [...stats.matchAll(/cmdstat_eval(?:sha)?:calls=(\d+)/g)].reduce((sum, [, calls]) => sum + Number(calls), 0);
}

test('the steady state costs one command a poll', async () => {
  await boards.add({ pollMs: 20 });
  const before = await commandsOf();
  await new Promise((resolve) => setTimeout(resolve, 200));
  const polls = (await commandsOf()) - before;
  assert.ok(polls >= 3 && polls <= 12, `${polls}`);
});

test('all keys carry one hash tag and expire', async () => {
  const one = await boards.add();
  outage(one, KEY);
  answered(one, KEY, { ttftMs: 20, tokensPerSecond: 30 });
  one.finished('openai/gpt', true);
  await until(one, () => breakerOf(one, KEY) === 'open');
  await one.stop();
  const keys = await client.keys('*');
  assert.equal(keys.length, 6);
  for (const key of keys) {
    assert.match(key, /^t:\{health\}:/);
    assert.ok((await client.pttl(key)) > 0, key);
  }
});

test(`the policy counts that is in force: ${POLICY.consecutiveFailures} failures are too few where 4 are needed`, async () => {
  let consecutiveFailures = 4;
  const one = await boards.add({ policy: () => ({ ...POLICY, consecutiveFailures }) });
  outage(one, KEY);
  await one.stop();
  const again = await boards.add({ policy: () => ({ ...POLICY, consecutiveFailures }) });
  assert.equal(breakerOf(again, KEY), 'closed');
  consecutiveFailures = 3;
  attempt(again, KEY);
  await until(again, () => breakerOf(again, KEY) === 'open');
});
