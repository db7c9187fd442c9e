import type { Gauge, LimitStatus } from './contract.ts';
import type { Lease } from './lease.ts';
import type { SubjectState } from './subject-state.ts';

/** What the headers tell: of all limits of a kind the one with the least share left. */
export function statusOf(states: readonly SubjectState[], now: number): LimitStatus {
  let requests: Gauge | null = null;
  let tokens: Gauge | null = null;
  let budgetWarning = '';
  for (const { leases, subject } of states) {
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
          if (subject.budget?.mode === 'soft' && (lease.left ?? 1) - lease.debt <= 0) {
            budgetWarning = `budget of ${subject.budget.usd} US dollars a ${subject.budget.window} is used up`;
          }
          break;
        default:
      }
    }
  }
  return { requests, tokens, budgetWarning };
}

function gaugeOf(lease: Lease, now: number): Gauge {
  const { capacity, perMs } = lease.unit;
  const left = (lease.estimate(now) ?? capacity) + lease.available - lease.debt;
  const remaining = Math.max(0, Math.min(capacity, Math.floor(left)));
  return { limit: capacity, remaining, resetMs: Math.ceil((capacity - remaining) / perMs) };
}

function tighter(a: Gauge | null, b: Gauge): Gauge {
  return a === null || b.remaining / b.limit < a.remaining / a.limit ? b : a;
}
