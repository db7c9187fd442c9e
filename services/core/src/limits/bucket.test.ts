import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Bucket, msUntil, refilled } from './bucket.ts';
import { DAY_MS, MINUTE_MS } from './units.ts';

const windowMs = fc.constantFrom(1_000, MINUTE_MS, DAY_MS);
const capacity = fc.oneof(fc.integer({ min: 1, max: 1_000 }), fc.integer({ min: 1, max: 10 ** 12 }));
const elapsed = fc.oneof(fc.nat(5_000), fc.nat(3 * DAY_MS));

/** As if numbers had no bounds: units times `windowMs`, so that a millisecond brings `capacity` of them. */
function ideal(bucket: Bucket, cap: number, window: number, passed: number): bigint {
  const [c, w] = [BigInt(cap), BigInt(window)];
  const level = BigInt(bucket.units) * w + BigInt(bucket.part) + BigInt(passed) * c;
  return level > c * w ? c * w : level;
}

const levelOf = ({ units, part }: Bucket, window: number): bigint => BigInt(units) * BigInt(window) + BigInt(part);

test('holds exactly what an ideal bucket holds, after any steps of time', () => {
  fc.assert(
    fc.property(capacity, windowMs, fc.array(elapsed, { maxLength: 30 }), fc.nat(2_000), (cap, window, steps, owed) => {
      let bucket: Bucket = { units: -owed, part: 0, at: 1_700_000_000_000 };
      let expected = levelOf(bucket, window);
      for (const step of steps) {
        expected = ideal(bucket, cap, window, step);
        bucket = refilled(bucket, cap, window, bucket.at + step);
        assert.equal(levelOf(bucket, window), expected);
        assert.ok(bucket.part >= 0 && bucket.part < window);
      }
    }),
  );
});

test('many small steps bring as much as one large one', () => {
  fc.assert(
    fc.property(capacity, windowMs, fc.array(fc.nat(5_000), { minLength: 1, maxLength: 50 }), (cap, window, steps) => {
      const empty: Bucket = { units: 0, part: 0, at: 0 };
      const inSteps = steps.reduce((bucket, step) => refilled(bucket, cap, window, bucket.at + step), empty);
      const atOnce = refilled(
        empty,
        cap,
        window,
        steps.reduce((sum, step) => sum + step, 0),
      );
      assert.deepEqual({ ...inSteps, at: 0 }, { ...atOnce, at: 0 });
    }),
  );
});

test('says the first millisecond at which there is enough', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 10 ** 6 }),
      windowMs,
      fc.nat(),
      fc.nat(),
      fc.nat(),
      (cap, window, a, b, c) => {
        const bucket: Bucket = { units: (a % cap) - 10, part: b % window, at: 0 };
        const want = 1 + (c % cap);
        const ms = msUntil(bucket, want, cap, window);
        assert.ok(refilled(bucket, cap, window, ms).units >= want);
        if (ms > 0) assert.ok(refilled(bucket, cap, window, ms - 1).units < want);
        assert.equal(msUntil(bucket, cap + 1, cap, window), Number.POSITIVE_INFINITY);
      },
    ),
  );
});

test('a clock that goes back brings nothing and takes nothing', () => {
  const bucket: Bucket = { units: 5, part: 3, at: 10_000 };
  assert.deepEqual(refilled(bucket, 100, MINUTE_MS, 9_000), bucket);
  assert.equal(refilled(bucket, 100, MINUTE_MS, 10_000 + MINUTE_MS).units, 100);
});
