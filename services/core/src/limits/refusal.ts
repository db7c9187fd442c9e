import { GatewayError } from '../errors/index.ts';
import type { Admission, Refusal, Subject } from './contract.ts';
import type { Lease } from './lease.ts';
import { statusOf } from './status.ts';
import type { UnitName } from './units.ts';
import { windowAt } from './units.ts';

const WORDS: Readonly<Record<Exclude<UnitName, 'budget'>, string>> = {
  requestsPerMinute: 'requests per minute',
  tokensPerMinute: 'tokens per minute',
  requestsPerDay: 'requests per day',
  tokensPerDay: 'tokens per day',
  concurrency: 'requests at one time',
};

/** OpenAI's, which clients look for; which limit it is stands in `param`. */
const CODE = 'rate_limit_exceeded';
/** Slots come free when an answer ends: nobody knows when. */
const SLOTS_RETRY_MS = 1_000;

/** `limit` of a refusal for want of Redis. */
export const REDIS_LOSS = 'redis loss';

export const isRefusal = (outcome: Admission | Refusal): outcome is Refusal => 'error' in outcome;

/** The 429, or the 402 of a budget. `waitMs` is how long until it could be let in; Infinity: never as it is. */
export function refusal(lease: Lease, waitMs: number, leases: readonly Lease[], now: number): Refusal {
  const { unit, owner } = lease;
  const { subject } = owner;
  const error =
    unit.name === 'budget' ? brokeError(subject) : limitError(subject, unit.name, unit.capacity, Math.ceil(waitMs));
  return { error, status: statusOf(leases, now), limit: `${subject.kind} ${unit.name}` };
}

function limitError(
  subject: Subject,
  unit: Exclude<UnitName, 'budget'>,
  capacity: number,
  waitMs: number,
): GatewayError {
  const limit = `${capacity} ${WORDS[unit]} for ${whose(subject)}`;
  if (!Number.isFinite(waitMs)) {
    return new GatewayError('rate_limit_exceeded', `The request alone needs more than the limit of ${limit}.`, {
      code: CODE,
      param: unit,
      shouldRetry: false,
    });
  }
  const retryAfterMs = unit === 'concurrency' ? SLOTS_RETRY_MS : waitMs;
  return new GatewayError('rate_limit_exceeded', `Rate limit reached: ${limit}.`, {
    code: CODE,
    param: unit,
    retryAfterMs,
  });
}

function brokeError(subject: Subject): GatewayError {
  const { budget } = subject;
  const window = budget === null || budget.window === 'total' ? '' : ` a ${budget.window}`;
  const { endMs } = windowAt(budget?.window ?? 'total', Date.now());
  const until = Number.isFinite(endMs) ? ` It is renewed at ${new Date(endMs).toISOString()}.` : '';
  return new GatewayError(
    'insufficient_funds',
    `The budget of ${budget?.usd ?? '0'} US dollars${window} for ${whose(subject)} does not suffice for this request.${until}`,
    { code: 'budget_exceeded', shouldRetry: false },
  );
}

/** Redis cannot be asked, and the operator wants nobody let in unasked. */
export function unchecked(leases: readonly Lease[], now: number): Refusal {
  const error = new GatewayError('rate_limit_exceeded', 'The limits of this request cannot be checked at the moment.', {
    code: 'limits_unavailable',
    retryAfterMs: SLOTS_RETRY_MS,
  });
  return { error, status: statusOf(leases, now), limit: REDIS_LOSS };
}

function whose({ kind, name }: Subject): string {
  switch (kind) {
    case 'key':
      return `the API key '${name}'`;
    case 'group':
      return `the group '${name}'`;
    case 'user':
      return 'this end user';
    case 'model':
      return `the model '${name}'`;
    case 'provider':
      return `the provider '${name}'`;
    default:
      return kind satisfies never;
  }
}
