import type { FailureClass, GatewayError } from '../../errors/index.ts';
import type { ErrorAnswer } from '../dialect.ts';
import { classOfStatus, providerError } from '../provider-error.ts';
import { retryAfterMs } from '../retry-after.ts';
import { detailText, isModerated, isTooLong, messageOf } from './compatible/error.ts';

interface OpenAiErrorObject {
  message?: unknown;
  type?: unknown;
  param?: unknown;
  code?: unknown;
}

/** Error bodies of the OpenAI API, and of its many imitations: `{"error": {...}}`, `{"error": "text"}`, `{"message"}`, `{"detail"}`. */
export function decodeOpenAiError(answer: ErrorAnswer): GatewayError {
  const error = errorObject(answer.body);
  const code = stringOrNull(error.code);
  const type = stringOrNull(error.type);
  const message = messageOf(error);
  const status = isUnpaid(code, type) ? 402 : answer.status;
  return providerError({
    provider: answer.provider,
    status,
    message,
    param: stringOrNull(error.param),
    code,
    retryAfterMs: retryAfterMs(answer.header, answer.now),
    failure: isModerated(error) ? 'content_filter' : classify(status, code, type, message),
  });
}

/** An error object in the middle of a stream, or in an answer of status 200: there is no status to go by. */
export function decodeOpenAiStreamError(raw: unknown): GatewayError {
  const error: OpenAiErrorObject =
    typeof raw === 'object' && raw !== null ? (raw as OpenAiErrorObject) : { message: String(raw) };
  const code = stringOrNull(error.code);
  const type = stringOrNull(error.type);
  const message = messageOf(error);
  const status = statusOf(code, type);
  return providerError({
    provider: 'of this model',
    status,
    message,
    param: stringOrNull(error.param),
    code,
    retryAfterMs: undefined,
    failure: isModerated(error) ? 'content_filter' : classify(status, code, type, message),
  });
}

function errorObject(body: Buffer): OpenAiErrorObject {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body.toString('utf8'));
  } catch {
    return {};
  }
  // Gemini's compatible surface wraps the object in an array.
  const outer: unknown = Array.isArray(parsed) ? parsed[0] : parsed;
  if (typeof outer !== 'object' || outer === null) return {};
  const { error, message, detail } = outer as { error?: unknown; message?: unknown; detail?: unknown };
  if (typeof error === 'object' && error !== null) return error;
  if (typeof error === 'string') return { ...outer, message: error };
  return { ...outer, message: message ?? detailText(detail) };
}

function stringOrNull(value: unknown): string | null {
  if (typeof value === 'string') return value;
  return typeof value === 'number' ? String(value) : null;
}

function classify(status: number, code: string | null, type: string | null, message: string): FailureClass {
  if (isTooLong(code, type, message) && status < 500 && status !== 429) return 'context_length';
  if (code === 'content_filter' || code === 'content_policy_violation' || type === 'content_filter') {
    return 'content_filter';
  }
  if (code === 'invalid_api_key') return 'auth';
  // Groq's way of saying that there is no capacity.
  return status === 498 ? 'overloaded' : classOfStatus(status);
}

/** What OpenAI says under a 429 or 400 when the account is exhausted: no waiting helps (https://platform.openai.com/docs/guides/error-codes). */
const UNPAID: ReadonlySet<string | null> = new Set([
  'insufficient_quota',
  'billing_hard_limit_reached',
  'billing_not_active',
]);

const isUnpaid = (code: string | null, type: string | null): boolean => UNPAID.has(code) || UNPAID.has(type);

function statusOf(code: string | null, type: string | null): number {
  if (isUnpaid(code, type)) return 402;
  const numeric = Number(code);
  if (Number.isInteger(numeric) && numeric >= 400 && numeric < 600) return numeric;
  if (code === 'rate_limit_exceeded' || type === 'rate_limit_error' || type === 'rate_limit_exceeded') return 429;
  if (type === 'invalid_request_error') return 400;
  if (type === 'authentication_error') return 401;
  return 502;
}
