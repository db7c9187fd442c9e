import type { GatewayError } from '@headgate/core/errors';
import {
  type Admission,
  type Demand,
  type Gauge,
  isRefusal,
  type Limiter,
  type LimitStatus,
  type Subject,
} from '@headgate/core/limits';

/** Of every limit a batch leaves so much to those who wait for their answers. */
const LEFT_TO_OTHERS = 0.1;
/** Limits that fill up more slowly (those of a day) are there for everybody alike. */
const MINUTE_MS = 60_000;
const SOON_MS = 1_000;

/** Let in; null: nobody has a limit. `waitMs`: not now. `error`: never as it is, or not for this money. */
export type LineAdmission =
  | { readonly admission: Admission | null }
  | { readonly waitMs: number }
  | { readonly error: GatewayError };

/** Lets a request of a batch in as one of its owner, behind all those that somebody waits for. */
export async function admitLine(
  limiter: Limiter,
  subjects: readonly Subject[],
  demand: Demand,
  options: { readonly onRedisLoss: 'allow' | 'deny'; readonly deadlineAt: number },
): Promise<LineAdmission> {
  if (subjects.length === 0) return { admission: null };
  const outcome = await limiter.admit(subjects, demand, { ...options, queue: null });
  if (!isRefusal(outcome)) {
    if (!leavesTooLittle(outcome.status, demand)) return { admission: outcome };
    outcome.release();
    return { waitMs: SOON_MS };
  }
  const { error } = outcome;
  const canWait = error.status === 429 && error.retryAfterMs !== undefined;
  return canWait ? { waitMs: Math.max(SOON_MS, error.retryAfterMs ?? 0) } : { error };
}

/** Whether those who wait for their answers would be left too little, if this is let in. */
export const leavesTooLittle = ({ requests, tokens }: LimitStatus, demand: Demand): boolean =>
  isShort(requests, 1) || isShort(tokens, demand.tokens);

function isShort(gauge: Gauge | null, own: number): boolean {
  if (gauge === null || gauge.resetMs > MINUTE_MS) return false;
  const { limit, remaining } = gauge;
  // What needs nearly all of a limit has its turn when hardly anybody else uses it, and not never.
  return remaining < Math.floor(Math.min(limit * LEFT_TO_OTHERS, (limit - own) / 2));
}
