import { type FailureClass, GatewayError } from '../errors/index.ts';

/** More attempts than this help nobody (DESIGN 6). */
export const MAX_ATTEMPTS = 6;

/** What the relay does after a failed attempt from which nothing has been sent. */
export type NextStep = 'retry_here' | 'next_endpoint' | 'next_model' | 'give_up';

/** DESIGN 6, the table of failure classes. `retriedHere`: this endpoint has had its second chance. */
export function nextStep(failure: FailureClass, retriedHere: boolean): NextStep {
  switch (failure) {
    case 'overloaded':
      return retriedHere ? 'next_endpoint' : 'retry_here';
    case 'rate_limited':
    case 'silent':
    case 'auth':
    case 'empty_success':
    case 'stream_broken':
      return 'next_endpoint';
    case 'context_length':
      return 'next_model';
    case 'content_filter':
    case 'bad_request':
      return 'give_up';
    default:
      return failure satisfies never;
  }
}

/** Milliseconds before the second try at the same endpoint; spread, so that a crowd does not come back as one. */
export const retryDelayMs = (random: number): number => 50 + Math.floor(random * 200);

/**
 * The one error for a request whose every attempt failed: 429 only if all were 429, else the last failure that says more.
 * When the gateway has already retried, the client is told not to multiply that (WIRE 2.11, 2.12).
 */
export function finalError(failures: readonly GatewayError[]): GatewayError {
  const told = failures.filter(({ failure }) => failure !== 'rate_limited');
  const last = told.at(-1);
  if (!last) return earliestRetry(failures);
  if (last.failure === 'bad_request' || last.failure === 'content_filter' || last.failure === 'context_length')
    return last;
  if (failures.length < 2) return last;
  return new GatewayError(last.type, last.message, {
    status: last.status,
    param: last.param,
    code: last.code,
    shouldRetry: false,
    ...(last.failure === undefined ? {} : { failure: last.failure }),
    ...(last.retryAfterMs === undefined ? {} : { retryAfterMs: last.retryAfterMs }),
    cause: last,
  });
}

function earliestRetry(failures: readonly GatewayError[]): GatewayError {
  const sorted = [...failures].sort((a, b) => (a.retryAfterMs ?? 0) - (b.retryAfterMs ?? 0));
  return sorted[0] ?? new GatewayError('no_provider_available', 'No provider could be tried.', { retryAfterMs: 1_000 });
}
