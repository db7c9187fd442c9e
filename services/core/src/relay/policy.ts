import type { StreamProgress } from '../dialects/index.ts';
import { type FailureClass, GatewayError } from '../errors/index.ts';

/** More attempts than this help nobody (DESIGN 6). */
export const MAX_ATTEMPTS = 6;
/** An attempt that has less time than this cannot end well. */
export const LEAST_TIME_MS = 10;
/** Nobody is kept waiting for longer than this in all for rate limits to pass; the client is told instead. */
export const LONGEST_WAIT_MS = 60_000;
/** An overloaded provider that asks for a longer pause gets its second chance only when nobody else is left. */
export const SHORT_WAIT_MS = 1_000;

/** What a client is told to wait where the provider did not say. */
const DEFAULT_RETRY_MS = 1_000;

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

/** Added to a wait that a provider asked for, for the same reason. */
export const spreadMs = (waitMs: number, random: number): number => Math.floor(random * Math.min(250, waitMs / 10));

/**
 * The one error for a request whose every attempt failed: 429 only if all were 429, else the last failure that says more.
 * When the gateway has already retried, the client is told not to multiply that (WIRE 2.11, 2.12). `waitMs`: how long
 * until the first rate limit has passed, where that is known.
 */
export function finalError(failures: readonly GatewayError[], waitMs?: number): GatewayError {
  const last = failures.findLast(({ failure }) => failure !== 'rate_limited');
  if (!last) return rateLimited(failures, waitMs);
  if (isAnswer(last) || failures.length < 2) return withWait(last);
  return withWait(last, { shouldRetry: false });
}

/** The caller is to blame, or the request's content: the provider has answered. */
const isAnswer = ({ failure }: GatewayError): boolean =>
  failure === 'bad_request' || failure === 'content_filter' || failure === 'context_length';

/**
 * What a failed attempt tells of its endpoint: its failure; null: it is well, and has answered, if only to refuse the request;
 * undefined: nothing. What our own preparation finds is no word of the provider's; but a credential that cannot be had is one
 * that is refused.
 */
export function tellsOfEndpoint(error: GatewayError, wasSent: boolean): FailureClass | null | undefined {
  if (!wasSent) return error.failure === 'auth' ? 'auth' : undefined;
  return isAnswer(error) ? null : error.failure;
}

/**
 * Our own preparation found that this provider has no word for what is asked, such as several choices or a kind of file:
 * another may have. What is wrong wherever it is sent has other codes.
 */
export const cannotBeAsked = ({ failure, code }: GatewayError, wasSent: boolean): boolean =>
  !wasSent && failure === 'bad_request' && (code?.startsWith('unsupported_') ?? false);

/** It has finished, and has said nothing. */
export const isEmptyAnswer = ({
  hasContent,
  finishReasons,
}: Pick<StreamProgress, 'hasContent' | 'finishReasons'>): boolean =>
  !hasContent && finishReasons.every((reason) => reason === 'stop');

function rateLimited(failures: readonly GatewayError[], waitMs: number | undefined): GatewayError {
  const last = failures.at(-1);
  const retryAfterMs = waitMs ?? last?.retryAfterMs ?? DEFAULT_RETRY_MS;
  // Waiting has been tried, as often as it may be.
  if (last) return withWait(last, { retryAfterMs, ...(failures.length >= MAX_ATTEMPTS ? { shouldRetry: false } : {}) });
  return new GatewayError('no_provider_available', 'No provider could be tried.', { retryAfterMs: DEFAULT_RETRY_MS });
}

/** A 503 always says when to come back, as a 429 does (WIRE 2.12). */
function withWait(error: GatewayError, changes: { retryAfterMs?: number; shouldRetry?: boolean } = {}): GatewayError {
  const byDefault = error.status === 503 ? DEFAULT_RETRY_MS : undefined;
  const retryAfterMs = changes.retryAfterMs ?? error.retryAfterMs ?? byDefault;
  const shouldRetry = changes.shouldRetry ?? error.shouldRetry;
  if (retryAfterMs === error.retryAfterMs && shouldRetry === error.shouldRetry) return error;
  return new GatewayError(error.type, error.message, {
    status: error.status,
    param: error.param,
    code: error.code,
    ...(error.failure === undefined ? {} : { failure: error.failure }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(shouldRetry === undefined ? {} : { shouldRetry }),
    ...(error.extraHeaders === undefined ? {} : { headers: error.extraHeaders }),
    cause: error,
  });
}
