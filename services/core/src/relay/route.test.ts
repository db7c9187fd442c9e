import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { endpointEntry, modelEntry, providerEntry } from '../catalog/entries.testing.ts';
import type { EndpointEntry } from '../catalog/index.ts';
import { type FailureClass, GatewayError } from '../errors/index.ts';
import type { Plan } from '../routing/index.ts';
import { MAX_ATTEMPTS } from './policy.ts';
import { type Circumstances, Route } from './route.ts';
import { planOf } from './scripted.testing.ts';

const SEED = Number(process.env.FC_SEED ?? 20_260);

const failure = (of: FailureClass, retryAfterMs?: number): GatewayError =>
  new GatewayError(of === 'rate_limited' ? 'rate_limit_exceeded' : 'upstream_error', `it was ${of}`, {
    failure: of,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });

/** Endpoints by name, all of one model. */
const plan = (...names: string[]): Plan =>
  planOf([
    modelEntry(
      'm',
      names.map((name) => endpointEntry(providerEntry(name), 'up')),
    ),
  ]);

const at = (changes: Partial<Circumstances> = {}): Circumstances => ({
  attempts: 1,
  sent: true,
  now: 1_000,
  deadlineAt: 101_000,
  random: 0,
  ...changes,
});

const keyOf = ({ current }: Route): string => current.endpoint.key;

describe('Route', () => {
  it('an overloaded endpoint has one second chance, with jitter, then the next has its own', () => {
    const route = new Route(plan('a', 'b'));
    assert.deepEqual([route.after(failure('overloaded'), at()), keyOf(route)], [50, 'a:up']);
    assert.deepEqual([route.after(failure('overloaded'), at({ attempts: 2 })), keyOf(route)], [0, 'b:up']);
    assert.deepEqual(
      [route.after(failure('overloaded'), at({ attempts: 3, random: 0.5 })), keyOf(route)],
      [150, 'b:up'],
    );
    assert.equal(route.after(failure('overloaded'), at({ attempts: 4 })), null);
    assert.equal(route.finalError(0).shouldRetry, false);
  });

  it('one that asks for a long pause is left at once, or waited for where nobody else is left', () => {
    const route = new Route(plan('a', 'b'));
    assert.deepEqual([route.after(failure('overloaded', 1_001), at()), keyOf(route)], [0, 'b:up']);
    assert.deepEqual([route.after(failure('overloaded', 1_001), at()), keyOf(route)], [1_001, 'b:up']);
    const short = new Route(plan('a', 'b'));
    assert.deepEqual([short.after(failure('overloaded', 1_000), at()), keyOf(short)], [1_000, 'a:up']);
    const late = new Route(plan('a'));
    assert.equal(late.after(failure('overloaded', 30_000), at({ deadlineAt: 31_000 })), null);
  });

  it('one that is on trial has one chance while somebody else is left', () => {
    const trial = (...names: string[]) => new Route({ ...plan(...names), permits: ['a:up'] });
    const route = trial('a', 'b');
    assert.deepEqual([route.after(failure('overloaded'), at()), keyOf(route)], [0, 'b:up']);
    assert.deepEqual([route.after(failure('overloaded'), at()), keyOf(route)], [50, 'b:up']);
    const alone = trial('a');
    assert.deepEqual([alone.after(failure('overloaded'), at()), keyOf(alone)], [50, 'a:up']);
  });

  it('an endpoint that cannot be asked is passed by; the caller hears of it only where nobody could be asked', () => {
    const unasked = (name: string) =>
      new GatewayError('invalid_request_error', `${name} takes one choice`, {
        failure: 'bad_request',
        code: 'unsupported_parameter',
      });
    const route = new Route(plan('a', 'b', 'c'));
    assert.deepEqual([route.after(failure('rate_limited', 500), at()), keyOf(route)], [0, 'b:up']);
    assert.deepEqual([route.after(unasked('b'), at({ sent: false })), keyOf(route)], [0, 'c:up']);
    // Who has not refused the request is still waited for.
    assert.deepEqual([route.after(unasked('c'), at({ sent: false })), keyOf(route)], [500, 'a:up']);
    assert.equal(route.after(failure('auth'), at({ attempts: MAX_ATTEMPTS })), null);
    assert.equal(route.finalError(0).message, 'it was auth');

    const nobody = new Route(plan('a', 'b'));
    assert.deepEqual([nobody.after(unasked('a'), at({ sent: false })), keyOf(nobody)], [0, 'b:up']);
    assert.equal(nobody.after(unasked('b'), at({ sent: false, attempts: 2 })), null);
    assert.equal(nobody.finalError(0).message, 'a takes one choice');

    const refused = new Route(plan('a', 'b'));
    assert.equal(refused.after(unasked('a'), at()), null);
    const wrong = new Route(plan('a', 'b'));
    assert.equal(wrong.after(failure('bad_request'), at({ sent: false })), null);
  });

  it('a rate limit is waited for when everybody else has failed, the shortest first', () => {
    const route = new Route(plan('a', 'b', 'c'));
    assert.deepEqual([route.after(failure('rate_limited', 5_000), at()), keyOf(route)], [0, 'b:up']);
    assert.deepEqual([route.after(failure('rate_limited', 2_000), at({ now: 1_500 })), keyOf(route)], [0, 'c:up']);
    // Two seconds from 1500 on are over at 3500.
    assert.deepEqual([route.after(failure('auth'), at({ now: 2_000 })), keyOf(route)], [1_500, 'b:up']);
    assert.deepEqual(
      [route.after(failure('rate_limited', 9_000), at({ now: 3_500, random: 0.5 })), keyOf(route)],
      // a: 6000 - 3500, spread by half of a tenth.
      [2_500 + 125, 'a:up'],
    );
    assert.equal(route.after(failure('bad_request'), at({ now: 6_000 })), null);
  });

  it('but not longer than a minute, than the deadline, or without a word of how long', () => {
    assert.equal(new Route(plan('a')).after(failure('rate_limited', 60_001), at()), null);
    assert.equal(new Route(plan('a')).after(failure('rate_limited', 60_000), at()), 60_000);
    assert.equal(new Route(plan('a')).after(failure('rate_limited', 3_000), at({ deadlineAt: 4_005 })), null);
    assert.equal(new Route(plan('a')).after(failure('rate_limited', 3_000), at({ deadlineAt: 4_010 })), 3_000);
    assert.equal(new Route(plan('a')).after(failure('rate_limited'), at()), null);
    assert.equal(new Route(plan('a')).after(failure('rate_limited', 0), at()), 50, 'nobody is hammered');
  });

  it('nor longer than a minute in all', () => {
    const route = new Route(plan('a'));
    const far = { deadlineAt: 1_000_000 };
    assert.equal(route.after(failure('rate_limited', 40_000), at(far)), 40_000);
    assert.equal(route.after(failure('rate_limited', 40_000), at({ ...far, attempts: 2, now: 41_000 })), null);
    const other = new Route(plan('a'));
    assert.equal(other.after(failure('rate_limited', 20_000), at(far)), 20_000);
    assert.equal(other.after(failure('rate_limited', 20_000), at({ ...far, attempts: 2, now: 21_000 })), 20_000);
  });

  it('says of a 429 how much of the wait is left', () => {
    const route = new Route(plan('a', 'b'));
    route.after(failure('rate_limited', 90_000), at());
    route.after(failure('rate_limited', 80_000), at());
    assert.deepEqual([route.finalError(11_000).status, route.finalError(11_000).retryAfterMs], [429, 70_000]);
    assert.equal(route.finalError(200_000).retryAfterMs, 0);
    const exact = new Route(plan('a'));
    exact.after(failure('rate_limited', 90_000), at({ now: 1_234.567_89 }));
    assert.equal(exact.finalError(1_234.567_89).retryAfterMs, 90_000, 'not a millisecond more');
  });

  it('never the silent route again while there is another, nor the refused credential', () => {
    const provider = providerEntry('a');
    const own = providerEntry('a', { credentials: { apiKey: 'of-the-caller' } });
    const entries: EndpointEntry[] = [
      endpointEntry(own, 'up'),
      endpointEntry(provider, 'up'),
      endpointEntry(provider, 'other'),
      endpointEntry(providerEntry('b'), 'up'),
    ];
    const walk = (of: FailureClass): string[] => {
      const route = new Route(planOf([modelEntry('m', entries)]));
      const way: string[] = [];
      for (let i = 1; ; i++) {
        const { endpoint } = route.current;
        way.push(`${endpoint.key}${endpoint.provider === own ? ' own' : ''}`);
        if (route.after(failure(of), at({ attempts: i })) === null) return way;
      }
    };
    assert.deepEqual(walk('silent'), ['a:up own', 'a:other', 'b:up', 'a:up']);
    assert.deepEqual(walk('auth'), ['a:up own', 'a:up', 'b:up', 'a:other']);
    assert.deepEqual(walk('stream_broken'), ['a:up own', 'a:up', 'a:other', 'b:up']);
  });

  it('too long a prompt goes to larger windows only, those of endpoints before those of models', () => {
    const of = (name: string, contextWindow: number) => endpointEntry(providerEntry(name), 'up', { contextWindow });
    const models = [
      modelEntry('m', [of('a', 0), of('b', 4_000), of('c', 9_000), of('d', 0)], { contextWindow: 8_000 }),
      modelEntry('n', [of('e', 0), of('f', 10_000)]),
    ];
    const route = new Route(planOf(models));
    assert.deepEqual([route.after(failure('context_length'), at()), keyOf(route)], [0, 'c:up']);
    assert.deepEqual(
      [route.after(failure('context_length'), at()), keyOf(route)],
      [0, 'f:up'],
      'unknown is not larger',
    );
    assert.equal(route.after(failure('context_length'), at()), null);
    const limited = new Route(planOf([modelEntry('m', [of('a', 4_000), of('b', 4_000)])]));
    limited.after(failure('rate_limited', 100), at());
    assert.equal(limited.after(failure('context_length'), at()), null, 'no waiting for a window that is too small');
  });

  it('begins nothing that cannot end in time', () => {
    assert.equal(new Route(plan('a', 'b')).after(failure('auth'), at({ deadlineAt: 1_009 })), null);
    assert.equal(new Route(plan('a', 'b')).after(failure('auth'), at({ deadlineAt: 1_010 })), 0);
    const route = new Route(plan('a', 'b'));
    assert.deepEqual(
      [route.after(failure('overloaded'), at({ deadlineAt: 1_050 })), keyOf(route)],
      [0, 'b:up'],
      'no time for the pause, but for somebody else',
    );
  });

  it('comes to an end within six attempts, forgets nobody and waits only as it was asked to', () => {
    const classes: FailureClass[] = [
      'rate_limited',
      'overloaded',
      'silent',
      'auth',
      'context_length',
      'empty_success',
      'stream_broken',
    ];
    const fault = fc.record({
      of: fc.constantFrom(...classes),
      retryAfterMs: fc.option(fc.oneof(fc.constant(0), fc.nat(70_000)), { nil: undefined }),
      took: fc.nat(2_000),
    });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 8 }),
        fc.array(fault, { minLength: MAX_ATTEMPTS, maxLength: MAX_ATTEMPTS }),
        fc.integer({ min: 0, max: 200_000 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (count, faults, deadlineAt, random) => {
          const route = new Route(plan(...Array.from({ length: count }, (_, i) => `p${i}`)));
          const tried: string[] = [];
          let now = 0;
          for (const { of, retryAfterMs, took } of faults) {
            tried.push(keyOf(route));
            now += took;
            const before = keyOf(route);
            const wait = route.after(failure(of, retryAfterMs), {
              ...at({ attempts: tried.length }),
              now,
              deadlineAt,
              random,
            });
            if (wait === null) break;
            assert.ok(tried.length < MAX_ATTEMPTS);
            assert.ok(now + wait + 10 <= deadlineAt, 'it fits');
            assert.ok(wait <= 60_250);
            if (wait === 0) assert.notEqual(keyOf(route), before, 'nobody is asked again without a pause');
            now += wait;
          }
          assert.ok(tried.length <= MAX_ATTEMPTS);
          // Whoever is asked again was overloaded (once), or limited.
          assert.ok(new Set(tried).size <= count);
          assert.ok(route.finalError(now).status >= 400);
        },
      ),
      { seed: SEED, numRuns: 500 },
    );
  });
});
