import { msUntil } from './bucket.ts';
import type { Gauge, LimitStatus } from './contract.ts';
import type { Lease } from './lease.ts';

/** What the headers tell: of all limits of a kind the one with the least share left. */
export function statusOf(leases: readonly Lease[], now: number): LimitStatus {
  let requests: Gauge | null = null;
  let tokens: Gauge | null = null;
  let budgetWarning = '';
  for (const lease of leases) {
    switch (lease.unit.name) {
      case 'requestsPerMinute':
      case 'requestsPerDay':
        requests = tighter(requests, gaugeOf(lease, now));
        break;
      case 'tokensPerMinute':
      case 'tokensPerDay':
        tokens = tighter(tokens, gaugeOf(lease, now));
        break;
      case 'budget':
        budgetWarning ||= warning(lease, now);
        break;
      default:
    }
  }
  return { requests, tokens, budgetWarning };
}

/** Whether the process has ever heard what is left of the limits that headers tell of. */
export function isStatusKnown(leases: readonly Lease[], now: number): boolean {
  return leases.every((lease) => lease.unit.kind === 'slots' || lease.remaining(now) !== null);
}

function gaugeOf(lease: Lease, now: number): Gauge {
  const { capacity, windowMs } = lease.unit;
  const units = Math.max(0, Math.min(capacity, Math.floor(lease.remaining(now) ?? capacity)));
  return {
    limit: capacity,
    remaining: units,
    resetMs: msUntil({ units, part: 0, at: 0 }, capacity, capacity, windowMs),
  };
}

function tighter(a: Gauge | null, b: Gauge): Gauge {
  return a === null || b.remaining * a.limit < a.remaining * b.limit ? b : a;
}

/** Whether more was spent than a budget that does not refuse has; what is only reserved is not spent. */
export function isOverspent(lease: Lease, now: number): boolean {
  return lease.unit.soft && (lease.settled(now) ?? 1) <= 0;
}

function warning(lease: Lease, now: number): string {
  const { budget } = lease.owner.subject;
  if (budget?.mode !== 'soft' || !isOverspent(lease, now)) return '';
  const window = budget.window === 'total' ? '' : ` a ${budget.window}`;
  return `budget of ${budget.usd} US dollars${window} is used up`;
}
