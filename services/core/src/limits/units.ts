import { fromDecimal } from '../ledger/index.ts';
import type { Demand, Subject } from './contract.ts';

export const MINUTE_MS = 60_000;
export const DAY_MS = 24 * 3_600_000;
/** 10^-18 dollars in 10^-9. */
const NANO = 10n ** 9n;
/** Above this a JavaScript number, and Redis's Lua, loses whole units. */
const LARGEST = 2 ** 53 - 1;

export type UnitName =
  | 'requestsPerMinute'
  | 'tokensPerMinute'
  | 'requestsPerDay'
  | 'tokensPerDay'
  | 'concurrency'
  | 'budget';

/** One limit of one subject. */
export interface Unit {
  readonly name: UnitName;
  readonly kind: 'bucket' | 'slots' | 'budget';
  readonly capacity: number;
  /** Of a bucket; milliseconds in which it becomes full. */
  readonly windowMs: number;
  /** Of a budget. */
  readonly window: 'day' | 'week' | 'month' | 'total' | null;
  /** Counted, never refused. */
  readonly soft: boolean;
  /** What one request needs of it, in whole units. */
  need(demand: Demand): number;
}

const ONE = (): number => 1;
const TOKENS = ({ tokens }: Demand): number => Math.max(0, Math.ceil(tokens));
const MONEY = ({ money }: Demand): number => Math.max(0, Math.ceil(money));

/** The limits that hold for a subject. */
export function unitsOf({ limits, budget }: Subject): Unit[] {
  const units: Unit[] = [];
  const bucket = (name: UnitName, limit: number | null, windowMs: number, perRequest: boolean): void => {
    if (limit === null) return;
    const [capacity, need] = [Math.floor(limit), perRequest ? ONE : TOKENS];
    units.push({ name, kind: 'bucket', capacity, windowMs, window: null, soft: false, need });
  };
  bucket('requestsPerMinute', limits.requestsPerMinute, MINUTE_MS, true);
  bucket('requestsPerDay', limits.requestsPerDay, DAY_MS, true);
  bucket('tokensPerMinute', limits.tokensPerMinute, MINUTE_MS, false);
  bucket('tokensPerDay', limits.tokensPerDay, DAY_MS, false);
  const rest = { windowMs: 0, window: null, soft: false };
  if (limits.concurrency !== null) {
    units.push({ ...rest, name: 'concurrency', kind: 'slots', capacity: Math.floor(limits.concurrency), need: ONE });
  }
  if (budget !== null) {
    const { window, mode, usd } = budget;
    const of = { capacity: nanoDollars(usd), window, soft: mode !== 'hard' };
    units.push({ ...rest, ...of, name: 'budget', kind: 'budget', need: MONEY });
  }
  return units;
}
/** A decimal amount in 10^-9 dollars, rounded down. */
export function nanoDollars(usd: string): number {
  const nano = fromDecimal(usd) / NANO;
  return nano > BigInt(LARGEST) ? LARGEST : Number(nano);
}

/** A cost in 10^-9 dollars, rounded up, so that no sum of costs is more than what was counted. */
export function nanoCost(usd: string): number {
  const exact = fromDecimal(usd);
  const nano = (exact + NANO - 1n) / NANO;
  return nano > BigInt(LARGEST) ? LARGEST : Number(nano);
}

/** Begin and end of the budget window that holds at `nowMs`, epoch milliseconds, UTC; a week begins on Monday. */
export function windowAt(
  window: 'day' | 'week' | 'month' | 'total',
  nowMs: number,
): { startMs: number; endMs: number } {
  const now = new Date(nowMs);
  const [year, month, day] = [now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate()];
  switch (window) {
    case 'day':
      return { startMs: Date.UTC(year, month, day), endMs: Date.UTC(year, month, day + 1) };
    case 'week': {
      const monday = day - ((now.getUTCDay() + 6) % 7);
      return { startMs: Date.UTC(year, month, monday), endMs: Date.UTC(year, month, monday + 7) };
    }
    case 'month':
      return { startMs: Date.UTC(year, month, 1), endMs: Date.UTC(year, month + 1, 1) };
    case 'total':
      return { startMs: 0, endMs: Number.POSITIVE_INFINITY };
    default:
      return window satisfies never;
  }
}
