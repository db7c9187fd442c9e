import type { FailureClass, GatewayError } from '../../errors/index.ts';
import type { ErrorAnswer } from '../dialect.ts';
import { classOfStatus, providerError } from '../provider-error.ts';
import { retryAfterMs } from '../retry-after.ts';

interface AnthropicError {
  readonly type?: string;
  readonly message?: string;
}

/** Statuses of the error types (https://docs.anthropic.com/en/api/errors), for errors inside a stream. */
const STATUS: Readonly<Record<string, number>> = {
  invalid_request_error: 400,
  authentication_error: 401,
  billing_error: 402,
  permission_error: 403,
  not_found_error: 404,
  request_too_large: 413,
  rate_limit_error: 429,
  api_error: 500,
  timeout_error: 504,
  overloaded_error: 529,
};

export function decodeAnthropicError(answer: ErrorAnswer): GatewayError {
  const error = errorOf(answer.body);
  const message = error.message ?? '';
  return providerError({
    provider: answer.provider,
    status: answer.status,
    message,
    param: null,
    code: error.type ?? null,
    retryAfterMs: retryAfterMs(answer.header, answer.now),
    failure: classify(answer.status, message),
  });
}

/** An `error` event, or an error object in a 200. */
export function providerFailure(error: AnthropicError): GatewayError {
  const status = STATUS[error.type ?? ''] ?? 500;
  const message = error.message ?? '';
  return providerError({
    provider: 'anthropic',
    status,
    message,
    param: null,
    code: error.type ?? null,
    retryAfterMs: undefined,
    failure: classify(status, message),
  });
}

function classify(status: number, message: string): FailureClass {
  if (status === 400 && /prompt is too long|exceed(s|ed)? (the )?(context|maximum)|context window/i.test(message))
    return 'context_length';
  if (status === 400 && /content filtering policy/i.test(message)) return 'content_filter';
  if (status === 413) return 'context_length';
  if (status === 400 && /credit balance is too low/i.test(message)) return 'auth';
  return classOfStatus(status);
}

function errorOf(body: Buffer): AnthropicError {
  try {
    const parsed: unknown = JSON.parse(body.toString('utf8'));
    const error = typeof parsed === 'object' && parsed !== null && 'error' in parsed ? parsed.error : undefined;
    if (typeof error === 'object' && error !== null) return error;
    if (typeof error === 'string') return { message: error };
  } catch {
    // A proxy's page, say: its status has to do.
  }
  return {};
}
