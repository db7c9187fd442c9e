import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { windowAt } from './budget-window.ts';

const SEED = Number(process.env.FC_SEED ?? 20_262);
const iso = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString());
const at = (kind: 'day' | 'week' | 'month' | 'total', time: string) => {
  const { startMs, endMs } = windowAt(kind, Date.parse(time));
  return [iso(startMs), iso(endMs)];
};

test('windows are those of the calendar of UTC, and a week begins on Monday', () => {
  const midnights = (...days: string[]) => days.map((day) => `${day}T00:00:00.000Z`);
  assert.deepEqual(at('day', '2026-12-31T23:59:59.999Z'), midnights('2026-12-31', '2027-01-01'));
  assert.deepEqual(at('week', '2026-06-14T23:59:59Z'), midnights('2026-06-08', '2026-06-15'), 'a Sunday');
  assert.deepEqual(at('week', '2026-06-15T00:00:00Z'), midnights('2026-06-15', '2026-06-22'), 'a Monday');
  assert.deepEqual(at('month', '2028-02-29T12:00:00Z'), midnights('2028-02-01', '2028-03-01'));
  assert.deepEqual(at('month', '2026-12-01T00:00:00Z'), midnights('2026-12-01', '2027-01-01'));
  assert.deepEqual(at('total', '2026-12-01T00:00:00Z'), [null, null]);
});

test('each moment lies in its window, and the next window begins where that ends', () => {
  const time = fc.integer({ min: 0, max: 4_102_444_800_000 });
  fc.assert(
    fc.property(time, fc.constantFrom('day' as const, 'week' as const, 'month' as const), (now, kind) => {
      const { startMs, endMs } = windowAt(kind, now);
      assert.ok(startMs !== null && endMs !== null && startMs <= now && now < endMs);
      assert.equal(windowAt(kind, endMs).startMs, endMs);
      assert.equal(windowAt(kind, endMs - 1).startMs, startMs);
    }),
    { seed: SEED },
  );
});
