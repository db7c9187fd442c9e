import { randomBytes } from 'node:crypto';
import type { OutgoingHttpHeaders } from 'node:http';
import type { Directives, ErrorKind } from '../../faults/directives.ts';

/** An error answer as Anthropic gives it (docs: "Errors"). */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  readonly type: string;

  constructor(status: number, type: string, message: string) {
    super(message);
    this.status = status;
    this.type = type;
  }

  body(requestId: string): { type: 'error'; error: { type: string; message: string }; request_id: string } {
    return { type: 'error', error: { type: this.type, message: this.message }, request_id: requestId };
  }
}

export function badRequest(message: string): ApiError {
  return new ApiError(400, 'invalid_request_error', message);
}

/** A bad value at a path such as `messages.0.content`. */
export function invalid(path: string, problem: string): ApiError {
  return badRequest(`${path}: ${problem}`);
}

const kinds: Readonly<Record<ErrorKind, (model: string) => ApiError>> = {
  context_length: () => badRequest('prompt is too long: 200001 tokens > 200000 maximum'),
  content_filter: () => badRequest('Output blocked by content filtering policy'),
  invalid_key: () => new ApiError(401, 'authentication_error', 'invalid x-api-key'),
  forbidden: () =>
    new ApiError(403, 'permission_error', 'Your API key does not have permission to use the specified resource.'),
  model_not_found: (model) => new ApiError(404, 'not_found_error', `model: ${model}`),
  rate_limit: () =>
    new ApiError(
      429,
      'rate_limit_error',
      'This request would exceed your organization’s rate limit of 400,000 input tokens per minute. For details, refer to: https://docs.claude.com/en/api/rate-limits.',
    ),
  quota: () =>
    badRequest(
      'Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits.',
    ),
  server: () => new ApiError(500, 'api_error', 'Internal server error'),
  unavailable: () => new ApiError(503, 'api_error', 'Service Unavailable'),
  overloaded: () => new ApiError(529, 'overloaded_error', 'Overloaded'),
};

const ofStatus = new Map<number, (model: string) => ApiError>([
  [401, kinds.invalid_key],
  [403, kinds.forbidden],
  [404, kinds.model_not_found],
  [413, () => new ApiError(413, 'request_too_large', 'Request exceeds the maximum size')],
  [429, kinds.rate_limit],
  [500, kinds.server],
  [503, kinds.unavailable],
  [504, () => new ApiError(504, 'timeout_error', 'Request timed out')],
  [529, kinds.overloaded],
]);

/** The error that the directives ask for instead of an answer, if any. */
export function wantedError(directives: Directives, model: string): ApiError | undefined {
  const { status, error, message, type } = directives;
  const failing = status !== undefined && status >= 400;
  if (error === undefined && !failing) return undefined;
  const usual = (error === undefined ? ofStatus.get(status ?? 500) : kinds[error]) ?? unnamed(status ?? 500);
  const { status: usualStatus, type: usualType, message: usualMessage } = usual(model);
  return new ApiError(failing ? status : usualStatus, type ?? usualType, message ?? usualMessage);
}

function unnamed(status: number): () => ApiError {
  return () =>
    status < 500
      ? new ApiError(status, 'invalid_request_error', `The request was refused with status ${status}.`)
      : new ApiError(status, 'api_error', `The server failed with status ${status}.`);
}

/** The event that ends a stream that had begun well; it has no request id. */
export function errorFrame({ type, message }: Directives): string {
  const error = { type: type ?? 'overloaded_error', message: message ?? 'Overloaded' };
  return `event: error\ndata: ${JSON.stringify({ type: 'error', error })}\n\n`;
}

export function newRequestId(prefix = 'req_'): string {
  return `${prefix}011C${randomBytes(10).toString('hex')}`;
}

/** `x-should-retry` tells the official SDKs what to do. */
export function errorHeaders({ status, type }: ApiError): OutgoingHttpHeaders {
  return { 'x-should-retry': String(status === 408 || status === 409 || status >= 429 || type === 'api_error') };
}
