import type { BudgetPolicy } from '@headgate/core/catalog';

const DAY_MS = 24 * 3_600_000;

export interface Window {
  /** Milliseconds since the epoch, a midnight of UTC; null: since ever. */
  readonly startMs: number | null;
  /** When the next one begins; null: never. */
  readonly endMs: number | null;
}

/** The window of a budget that runs at `nowMs`: calendar windows of UTC, weeks from Monday. */
export function windowAt(kind: BudgetPolicy['window'], nowMs: number): Window {
  const now = new Date(nowMs);
  const midnight = Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate());
  switch (kind) {
    case 'day':
      return { startMs: midnight, endMs: midnight + DAY_MS };
    case 'week': {
      const startMs = midnight - ((now.getUTCDay() + 6) % 7) * DAY_MS;
      return { startMs, endMs: startMs + 7 * DAY_MS };
    }
    case 'month':
      return {
        startMs: Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), 1),
        endMs: Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1, 1),
      };
    case 'total':
      return { startMs: null, endMs: null };
    default:
      return kind satisfies never;
  }
}
