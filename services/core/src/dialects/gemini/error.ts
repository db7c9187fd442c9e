import type { FailureClass, GatewayError } from '../../errors/index.ts';
import type { ErrorAnswer } from '../dialect.ts';
import { classOfStatus, providerError } from '../provider-error.ts';
import { retryAfterMs } from '../retry-after.ts';

/** `google.rpc.Status` (https://cloud.google.com/apis/design/errors); none of it may be relied on before it has been looked at. */
export interface GoogleError {
  readonly code?: unknown;
  readonly message?: unknown;
  readonly status?: unknown;
  readonly details?: unknown;
}

const LONGEST_WAIT_MS = 24 * 60 * 60 * 1000;

export function decodeGoogleError(answer: ErrorAnswer): GatewayError {
  const error = googleErrorOf(answer.body) ?? {};
  const message = textOf(error.message);
  return providerError({
    provider: answer.provider,
    status: answer.status,
    message,
    param: null,
    code: textOf(error.status) || null,
    retryAfterMs: retryAfterMs(answer.header, answer.now) ?? retryDelayMs(error),
    failure: classify(answer.status, message, error),
  });
}

/** An error in the place of an answer, or in the middle of a stream. */
export function googleFailure(error: GoogleError, provider: string): GatewayError {
  const status = typeof error.code === 'number' && error.code >= 400 && error.code < 600 ? error.code : 500;
  const message = textOf(error.message);
  return providerError({
    provider,
    status,
    message,
    param: null,
    code: textOf(error.status) || null,
    retryAfterMs: retryDelayMs(error),
    failure: classify(status, message, error),
  });
}

/** The error of a body: in an object, or in an array, as a stream without `alt=sse` has it. Null when it is none of Google's. */
export function googleErrorOf(body: Buffer): GoogleError | null {
  try {
    const parsed: unknown = JSON.parse(body.toString('utf8'));
    return errorIn(Array.isArray(parsed) ? parsed[0] : parsed);
  } catch {
    // A proxy's page, say: its status has to do.
    return null;
  }
}

export function errorIn(value: unknown): GoogleError | null {
  if (!isRecord(value)) return null;
  if (typeof value.error === 'string') return { message: value.error };
  return isRecord(value.error) ? value.error : null;
}

const CONTEXT_LENGTH =
  /exceeds? the maximum number of (input )?tokens|input token count|only supports up to \d+|context (length|window)|prompt is too long/i;
/** Refusals of the gateway's own key, account or place that come as 400. */
const NOT_THE_CALLER =
  /api[ _]key (not valid|expired|not found)|pass a valid api key|location is not supported|billing (to be enabled|account)/i;

function classify(status: number, message: string, error: GoogleError): FailureClass {
  if (status !== 400) return classOfStatus(status);
  const reasons = detailsOf(error).map(({ reason }) => textOf(reason));
  if (reasons.some((reason) => reason.startsWith('API_KEY_')) || NOT_THE_CALLER.test(message)) return 'auth';
  return CONTEXT_LENGTH.test(message) ? 'context_length' : 'bad_request';
}

/** `RetryInfo.retryDelay`, a duration such as "34.07s". */
function retryDelayMs(error: GoogleError): number | undefined {
  for (const detail of detailsOf(error)) {
    const seconds = /^(\d+(?:\.\d+)?)s$/.exec(textOf(detail.retryDelay))?.[1];
    if (seconds !== undefined) return Math.min(Number(seconds) * 1000, LONGEST_WAIT_MS);
  }
  return undefined;
}

const detailsOf = ({ details }: GoogleError): Record<string, unknown>[] =>
  Array.isArray(details) ? details.filter(isRecord) : [];

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
