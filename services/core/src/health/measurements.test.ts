import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import fc from 'fast-check';
import { createRequestClient, type RedisClient, redisKeys } from '../redis/index.ts';
import { type RedisServer, startRedisServer } from '../redis/redis-server.testing.ts';
import { answered, attempt, Boards, eventually, NEVER_MS } from './board.testing.ts';
import { EndpointRecord } from './endpoint-record.ts';
import { bucketOf, count, type Histogram, middleOf, quantile } from './histogram.ts';
import { MeasurementLog } from './measurement-log.ts';
import { RedisClock } from './redis-clock.ts';
import { SharedMeasurements } from './shared-measurements.ts';

const KEY = 'openai:gpt';
const MINUTE = 60_000;
/** Far from the real clock: whoever looked at that one would be found out. */
const T0 = 1_900_000_000_000;

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

const shared = () => new SharedMeasurements(client, redisKeys('t').health, new RedisClock());

function log(fill: (measured: MeasurementLog) => void) {
  const measured = new MeasurementLog();
  fill(measured);
  const taken = measured.take();
  assert.ok(taken);
  return taken;
}

const near = (actual: number | null | undefined, expected: number) =>
  assert.ok(actual != null && Math.abs(actual / expected - 1) < 0.06, `${actual} is not near ${expected}`);

test('a quantile is right to 6 % for any positive values', () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0.01, max: 1e7, noNaN: true }), { minLength: 1 }),
      fc.double({ min: 0.01, max: 1, noNaN: true }),
      (values, q) => {
        const histogram: Histogram = new Map();
        for (const value of values) count(histogram, bucketOf(value));
        const exact = values.sort((a, b) => a - b)[Math.ceil(values.length * q) - 1];
        near(quantile(histogram, q), exact ?? Number.NaN);
      },
    ),
  );
  assert.equal(quantile(new Map(), 0.5), null);
  for (const odd of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) assert.ok(Number.isFinite(middleOf(bucketOf(odd))));
});

test('what is plain unknown is null; one measurement is known for five minutes', async () => {
  const clock = new RedisClock();
  const record = new EndpointRecord(KEY, clock);
  assert.deepEqual([record.ttftMs, record.tokensPerSecond, record.successRate], [null, null, null]);
  const [summary] = await shared().add(
    log((measured) => measured.attempt(KEY, true, 230, null)),
    T0,
  );
  assert.ok(summary);
  const advance = (ms: number) => clock.heard(T0 + ms, performance.now(), performance.now());
  advance(1);
  record.measured(summary);
  near(record.ttftMs, 230);
  assert.equal(record.tokensPerSecond, null);
  assert.equal(record.successRate, 1);
  advance(4.9 * MINUTE);
  record.fade();
  near(record.ttftMs, 230);
  advance(5.1 * MINUTE);
  record.fade();
  assert.deepEqual([record.ttftMs, record.successRate], [null, null]);
});

test('newer measurements outweigh older ones', async () => {
  const measurements = shared();
  const add = (at: number, ttftMs: number, times: number, ok = true) =>
    measurements.add(
      log((measured) => {
        for (let n = 0; n < times; n++) measured.attempt(KEY, ok, ttftMs, 1000 / ttftMs);
      }),
      at,
    );
  await add(T0, 200, 100);
  // Three half-lives later 100 are worth 12.5.
  const [before] = await add(T0 + 15 * MINUTE, 2_000, 10);
  near(middleOf(before?.ttftBucket ?? 0), 200);
  const [after] = await add(T0 + 15 * MINUTE, 2_000, 10);
  near(middleOf(after?.ttftBucket ?? 0), 2_000);
  near(middleOf(after?.speedBucket ?? 0), 0.5);
  near(after?.attempts, 32.5);
  const [failing] = await add(T0 + 15 * MINUTE, 1, 32.5, false);
  near(failing?.successRate, 32.5 / 65.5);
});

test('uptime of a quarter, an hour and a day, and the quantiles of the last hour', async () => {
  const measurements = shared();
  const add = (minutesAgo: number, ok: number, bad: number, ttftMs: number) =>
    measurements.add(
      log((measured) => {
        for (let n = 0; n < ok; n++) measured.attempt(KEY, true, ttftMs, 100);
        for (let n = 0; n < bad; n++) measured.attempt(KEY, false, null, null);
        measured.request('openai/gpt', bad === 0);
      }),
      T0 - minutesAgo * MINUTE,
    );
  await add(26 * 60, 0, 500, 1);
  await add(10 * 60, 60, 40, 9_000);
  await add(30, 90, 0, 100);
  await add(1, 5, 5, 1_000);
  const [found, models] = [
    await measurements.endpoints([KEY, 'openai:other'], T0),
    await measurements.models(['openai/gpt', 'x/y'], T0),
  ];
  const statistics = found.get(KEY);
  assert.deepEqual(statistics?.uptime, { last15m: 0.5, last1h: 0.95, last1d: 155 / 200 });
  near(statistics?.latencyLast1h?.p50, 100);
  near(statistics?.latencyLast1h?.p95, 1_000);
  near(statistics?.throughputLast1h?.p50, 100);
  assert.deepEqual(found.get('openai:other'), {
    uptime: { last15m: null, last1h: null, last1d: null },
    latencyLast1h: null,
    throughputLast1h: null,
  });
  assert.deepEqual(models.get('openai/gpt'), { last15m: 0, last1h: 0.5, last1d: 1 / 3 });
  assert.equal(models.get('x/y')?.last1d, null);
});

test('what one replica measures the other plans by; the fault of a caller is not counted', async () => {
  const [one, other] = [await boards.add({ flushMs: 10 }), await boards.add({ pollMs: 10 })];
  for (const ttftMs of [150, 300, 600]) answered(one, KEY, { ttftMs, tokensPerSecond: ttftMs / 10 });
  attempt(one, KEY, { failure: 'rate_limited', status: 429 });
  attempt(one, KEY, { failure: 'bad_request', status: 400 });
  attempt(one, KEY, { failure: null, status: 404, ttftMs: 1 });
  one.finished('openai/gpt', true);
  one.finished('openai/gpt', false);
  await eventually(() => other.view().of(KEY)?.successRate != null);
  near(other.view().of(KEY)?.ttftMs, 300);
  near(other.view().of(KEY)?.tokensPerSecond, 30);
  assert.equal(other.view().of(KEY)?.successRate, 0.75);
  const [described] = other.describe();
  assert.equal(described?.successRate, 0.75);
  assert.equal(described?.provider, 'openai');
  assert.equal((await other.statistics([KEY])).get(KEY)?.uptime.last15m, 0.75);
  assert.equal((await other.modelUptime(['openai/gpt'])).get('openai/gpt')?.last1h, 0.5);
});

test('the log does not grow with the load', () => {
  const measured = new MeasurementLog();
  for (let n = 0; n < 100_000; n++) measured.attempt(KEY, true, n, n / 7);
  const taken = measured.take();
  assert.ok(JSON.stringify(taken).length < 5_000);
  assert.equal(taken?.[`e:${KEY}`]?.successes, 100_000);
  assert.equal(measured.take(), null);
});
