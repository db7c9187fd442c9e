import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import type { BreakerPolicy } from '../catalog/index.ts';
import { createRequestClient, type RedisClient, redisKeys } from '../redis/index.ts';
import { type RedisServer, startRedisServer } from '../redis/redis-server.testing.ts';
import { type BreakerEvent, type BreakerState, looksDifferent, transition, WELL } from './breaker.ts';
import { RedisClock } from './redis-clock.ts';
import { SharedBreakers } from './shared-breakers.ts';

const KEY = 'p:m';

let server: RedisServer;
let client: RedisClient;
let runs = 0;

before(async () => {
  server = await startRedisServer();
  client = createRequestClient(server.url, 'test');
  await new Promise((resolve) => client.once('ready', resolve));
});
after(async () => {
  client.disconnect();
  await server.stop();
});

/** What happens next; which epoch and permit it names is decided when it happens. */
type Step =
  | { readonly what: 'pass'; readonly ms: number }
  | { readonly what: 'pass_until_due' }
  | { readonly what: 'success'; readonly count: number; readonly late: boolean }
  | {
      readonly what: 'failure';
      readonly count: number;
      readonly late: boolean;
      readonly permit: Permit;
      readonly retryAfterMs: number;
    }
  | { readonly what: 'rate_limited'; readonly permit: Permit; readonly retryAfterMs: number }
  | { readonly what: 'cool'; readonly forMs: number }
  | { readonly what: 'acquire'; readonly permit: Permit; readonly leaseMs: number }
  | { readonly what: 'release'; readonly permit: Permit };
type Permit = 'none' | 'newest' | 'older';

const permit = fc.constantFrom<Permit>('none', 'newest', 'newest', 'older');
const retryAfterMs = fc.oneof(
  { weight: 2, arbitrary: fc.constant(0) },
  fc.constantFrom(1, 700, 2_000, 90_000, 9_000_000),
);
const count = fc.oneof({ weight: 3, arbitrary: fc.constant(1) }, fc.integer({ min: 1, max: 9 }));
const late = fc.oneof({ weight: 5, arbitrary: fc.constant(false) }, fc.constant(true));

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ what: fc.constant('pass' as const), ms: fc.constantFrom(0, 1, 37, 900, 5_000, 60_000) }),
  },
  { weight: 3, arbitrary: fc.constant({ what: 'pass_until_due' as const }) },
  { weight: 4, arbitrary: fc.record({ what: fc.constant('success' as const), count, late }) },
  { weight: 8, arbitrary: fc.record({ what: fc.constant('failure' as const), count, late, permit, retryAfterMs }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('rate_limited' as const), permit, retryAfterMs }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('cool' as const), forMs: fc.constantFrom(0, 30_000) }) },
  {
    weight: 5,
    arbitrary: fc.record({
      what: fc.constant('acquire' as const),
      permit: fc.constantFrom<Permit>('none', 'none', 'newest', 'older'),
      leaseMs: fc.constantFrom(1_000, 20_000),
    }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('release' as const), permit }) },
);

const failing = { what: 'failure', count: 9, late: false, retryAfterMs: 0 } as const;
/** What seldom comes about by chance: an outage, and a probe in it. */
const outage: readonly Step[] = [{ ...failing, permit: 'none' }];
const probe: readonly Step[] = [{ what: 'pass_until_due' }, { what: 'acquire', permit: 'none', leaseMs: 1_000 }];
const failedProbe: readonly Step[] = [...probe, { ...failing, permit: 'newest' }];
/** Its first content closes the breaker; later it breaks, as do others. */
const brokenAnswer: readonly Step[] = [
  ...probe,
  { what: 'success', count: 1, late: false },
  { ...failing, count: 1, permit: 'none' },
];
const deadProber: readonly Step[] = [...probe, { what: 'pass', ms: 5_000 }, { ...failing, permit: 'newest' }];

const steps = fc
  .array(
    fc.oneof(
      { weight: 9, arbitrary: fc.tuple(step) },
      ...[outage, probe, failedProbe, brokenAnswer, deadProber].map((some) => fc.constant(some)),
    ),
    {
      minLength: 5,
      maxLength: 60,
    },
  )
  .map((groups): readonly Step[] => groups.flat());

const policy: fc.Arbitrary<BreakerPolicy> = fc.record({
  consecutiveFailures: fc.integer({ min: 1, max: 6 }),
  failureRatio: fc.constantFrom(0.1, 0.3, 0.5, 1),
  minimumRequests: fc.integer({ min: 1, max: 25 }),
  windowMs: fc.constantFrom(5, 1_000, 30_000),
  cooldownMs: fc.constantFrom(100, 5_000),
  maxCooldownMs: fc.constantFrom(100, 15_000),
});

/** Knows of the breaker only what was said, and checks what it does against the rules. */
class Witness {
  readonly #policy: BreakerPolicy;
  state = WELL;
  readonly epochs = [0];
  readonly permits: number[] = [];
  #live: { readonly id: number; until: number } | null = null;
  #failuresInARow = 0;
  #outcomes = 0;

  constructor(given: BreakerPolicy) {
    this.#policy = given;
  }

  eventOf(step: Exclude<Step, { what: 'pass' | 'pass_until_due' }>): BreakerEvent {
    const numbered = (which: Permit) => (which === 'none' ? 0 : (this.permits.at(which === 'newest' ? -1 : -2) ?? 0));
    const epochOf = (isLate: boolean) => (isLate ? (this.epochs.at(-2) ?? 0) : (this.epochs.at(-1) ?? 0));
    switch (step.what) {
      case 'success':
        return { kind: 'success', count: step.count, epoch: epochOf(step.late) };
      case 'failure': {
        const { count, retryAfterMs } = step;
        return { kind: 'failure', count, epoch: epochOf(step.late), permit: numbered(step.permit), retryAfterMs };
      }
      case 'rate_limited':
        return { kind: 'rate_limited', permit: numbered(step.permit), retryAfterMs: step.retryAfterMs };
      case 'cool':
        return { kind: 'cool', forMs: step.forMs };
      case 'acquire':
        return { kind: 'acquire', permit: numbered(step.permit), leaseMs: step.leaseMs };
      case 'release':
        return { kind: 'release', permit: numbered(step.permit) };
    }
  }

  check(event: BreakerEvent, next: BreakerState, now: number): void {
    const last = this.state;
    const timely = !('epoch' in event) || last.epoch === 0 || event.epoch === last.epoch;
    assert.ok(next.epoch >= last.epoch, 'the epoch only rises');
    assert.equal(next.epoch > last.epoch, next.open !== last.open || next.openedAt > last.openedAt, 'with every turn');
    assert.ok(next.coolUntil >= last.coolUntil, 'a promise to leave it alone is kept');
    if (last.open && next.open) assert.ok(next.openUntil >= last.openUntil, 'openUntil never shrinks while open');
    if (next.open) assert.ok(next.openUntil >= next.coolUntil || !last.open, 'the latest of all deadlines');

    this.#countOutcome(event, timely);
    if (!last.open && next.open) this.#checkOpening(event);
    if (last.open && !next.open) assert.ok(event.kind === 'success' && timely, 'only a timely answer closes it');
    if (last.open && event.kind === 'success' && timely) assert.ok(!next.open, 'a timely answer closes it');
    if (event.kind === 'failure' && timely && !last.open && !next.open) {
      assert.equal(next.consecutiveFailures, this.#failuresInARow, 'every failure counts, a broken trial not less');
    }
    if ('epoch' in event && !timely && !(event.kind === 'failure' && (event.permit !== 0 || event.retryAfterMs > 0))) {
      assert.deepEqual(next, last, 'what is late changes nothing');
    }
    this.#checkPermits(event, next, now);
    this.state = next;
    if (next.epoch > last.epoch) this.epochs.push(next.epoch);
  }

  #countOutcome(event: BreakerEvent, timely: boolean): void {
    if (!timely || (this.state.open && event.kind !== 'success')) return;
    if (event.kind === 'success') this.#failuresInARow = 0;
    if (event.kind === 'failure') this.#failuresInARow += event.count;
    if (event.kind === 'success' || event.kind === 'failure') this.#outcomes += event.count;
  }

  #checkOpening(event: BreakerEvent): void {
    assert.equal(event.kind, 'failure');
    assert.ok(
      this.#failuresInARow >= this.#policy.consecutiveFailures || this.#outcomes >= this.#policy.minimumRequests,
      'it opens at a threshold, not before',
    );
    this.#failuresInARow = 0;
    this.#outcomes = 0;
  }

  #checkPermits(event: BreakerEvent, next: BreakerState, now: number): void {
    const last = this.state;
    if (this.#live !== null && this.#live.until <= now) this.#live = null;
    const held = this.#live;
    const given = next.permit !== last.permit;
    if (given) {
      assert.equal(event.kind, 'acquire');
      assert.equal(held, null, 'one permit at a time');
      assert.ok(last.open && now >= last.openUntil, 'and none before the period is over');
      assert.ok(next.permit > last.permit);
      this.#live = { id: next.permit, until: next.permitUntil };
      this.permits.push(next.permit);
    } else if (event.kind === 'acquire' && event.permit !== 0 && held?.id === event.permit) {
      this.#live = { id: held.id, until: next.permitUntil };
      assert.ok(next.permitUntil >= held.until, 'a lease can be made longer');
    } else if (next.epoch > last.epoch) this.#live = null;
    else if (held !== null && 'permit' in event && event.permit === held.id) {
      assert.equal(next.permitUntil, 0, 'who has told how it went has no permit any more');
      this.#live = null;
    }
    assert.equal(next.permitUntil > now, this.#live !== null);
  }
}

test('the breaker in Redis and the one in TypeScript agree, and keep the rules', async () => {
  const turns = { opened: 0, reopened: 0, closed: 0, permits: 0, ranOut: 0 };
  await fc.assert(
    fc.asyncProperty(policy, steps, async (given, taken) => {
      const keys = redisKeys(`run-${++runs}`).health;
      const shared = new SharedBreakers(client, keys, new RedisClock());
      const witness = new Witness(given);
      let now = 1_800_000_000_000;
      let alone: BreakerState = WELL;
      for (const next of taken) {
        if (next.what === 'pass') {
          if (alone.permitUntil > now && alone.permitUntil <= now + next.ms) turns.ranOut++;
          now += next.ms;
          continue;
        }
        if (next.what === 'pass_until_due') {
          now = Math.max(now, alone.open ? alone.openUntil : alone.coolUntil);
          continue;
        }
        const event = witness.eventOf(next);
        const last = alone;
        alone = transition(last, event, given, now);
        const { permit: granted, change } = await shared.apply([{ key: KEY, event }], given, now);
        const stored = await shared.poll(-1, false);
        assert.deepEqual(stored.breakers?.[0]?.state ?? WELL, alone, JSON.stringify(event));
        assert.equal(change !== null, looksDifferent(last, alone), 'told if and only if it looks different');
        if (event.kind === 'acquire' && event.permit === 0)
          assert.equal(granted, alone.permit === last.permit ? 0 : alone.permit);
        witness.check(event, alone, now);
        if (!last.open && alone.open) turns.opened++;
        if (last.open && alone.openedAt > last.openedAt) turns.reopened++;
        if (last.open && !alone.open) turns.closed++;
        if (alone.permit !== last.permit) turns.permits++;
      }
    }),
    { numRuns: 200, seed: 20_260, includeErrorInReport: true },
  );
  for (const [turn, times] of Object.entries(turns))
    assert.ok(times > 20, `too few to prove anything: ${turn} ${times}`);
});

test('a batch is the same as its events one by one', async () => {
  const given: BreakerPolicy = {
    consecutiveFailures: 3,
    failureRatio: 0.5,
    minimumRequests: 20,
    windowMs: 30_000,
    cooldownMs: 5_000,
    maxCooldownMs: 15_000,
  };
  const keys = redisKeys('batch').health;
  const shared = new SharedBreakers(client, keys, new RedisClock());
  const failure = { kind: 'failure', count: 1, epoch: 0, permit: 0, retryAfterMs: 0 } as const;
  const now = 1_800_000_000_000;
  const events = ['a:1', 'b:1'].flatMap((key) =>
    [
      failure,
      { kind: 'success', count: 2, epoch: 0 } as const,
      failure,
      failure,
      ...(key === 'a:1' ? [failure] : []),
    ].map((event) => ({ key, event })),
  );
  const { change } = await shared.apply(events, given, now);
  assert.deepEqual(
    change?.states.map(({ key, state }) => [key, state.open, state.openUntil]),
    [['a:1', true, now + 5_000]],
  );
  assert.equal(change?.previousVersion, 0);
  assert.equal(change?.version, now);
  const { breakers } = await shared.poll(0, false);
  assert.deepEqual(breakers?.map(({ key, state }) => [key, state.consecutiveFailures]).sort(), [
    ['a:1', 3],
    ['b:1', 2],
  ]);
});
