/** Every `error.type` that a client can see, with the HTTP status it travels under (WIRE 2.11). */
export const ERROR_STATUS = {
  invalid_request_error: 400,
  authentication_error: 401,
  insufficient_funds: 402,
  quota_for_entity_exceeded: 402,
  forbidden: 403,
  model_not_allowed: 403,
  model_not_found: 404,
  not_found: 404,
  method_not_allowed: 405,
  timeout_error: 408,
  request_too_large: 413,
  unprocessable_entity: 422,
  failed_dependency: 424,
  rate_limit_exceeded: 429,
  internal_server_error: 500,
  response_error: 502,
  upstream_error: 502,
  service_unavailable: 503,
  no_provider_available: 503,
  upstream_timeout: 504,
} as const;

/** Beyond this openai-node falls back to its own half second and hammers, unless told not to retry (WIRE 2.12). */
const LONGEST_WAIT_MS = 60_000;

/** Anything shorter is a placeholder such as `none`, and stands in ordinary words. */
const SHORTEST_SECRET = 8;

export type ErrorType = keyof typeof ERROR_STATUS;

/** What went wrong at a provider; decides what the relay does next (DESIGN 6). */
export type FailureClass =
  | 'rate_limited'
  | 'overloaded'
  | 'silent'
  | 'auth'
  | 'context_length'
  | 'content_filter'
  | 'bad_request'
  | 'empty_success'
  | 'stream_broken';

export interface GatewayErrorOptions {
  /** The request field at fault, as a path such as `messages.2.content.0.type`. */
  param?: string | Record<string, unknown> | null;
  /** Machine-readable reason, such as `missing_parameter`. */
  code?: string | null;
  /** Overrides the status that goes with the type. */
  status?: number;
  /** Set on provider failures only. */
  failure?: FailureClass;
  /** Milliseconds until a retry makes sense; becomes `retry-after-ms` and `retry-after`. */
  retryAfterMs?: number;
  /** Becomes `x-should-retry`. */
  shouldRetry?: boolean;
  /** Further response headers, such as `allow`. */
  headers?: Readonly<Record<string, string>>;
  cause?: unknown;
}

export interface ErrorBody {
  error: { message: string; type: string; param: unknown; code: string | null };
}

/**
 * The one error that crosses rooms. `message` is written for the caller: it never holds a credential,
 * a stack trace or an internal address.
 */
export class GatewayError extends Error {
  override readonly name = 'GatewayError';
  readonly type: ErrorType;
  readonly status: number;
  readonly param: string | Record<string, unknown> | null;
  readonly code: string | null;
  readonly failure: FailureClass | undefined;
  readonly retryAfterMs: number | undefined;
  readonly shouldRetry: boolean | undefined;
  readonly extraHeaders: Readonly<Record<string, string>> | undefined;

  constructor(type: ErrorType, message: string, options: GatewayErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.type = type;
    this.status = options.status ?? ERROR_STATUS[type];
    this.param = options.param ?? null;
    this.code = options.code ?? null;
    this.failure = options.failure;
    this.retryAfterMs = options.retryAfterMs;
    this.shouldRetry = options.shouldRetry;
    this.extraHeaders = options.headers;
  }

  /** Cuts these texts out of the message: some providers quote the credential that they refuse. */
  cutOut(secrets: readonly string[]): this {
    for (const secret of secrets) {
      if (secret.length >= SHORTEST_SECRET) this.message = this.message.replaceAll(secret, '[redacted]');
    }
    return this;
  }

  /** The OpenAI-shaped body, the same for JSON answers and for error frames in a stream. */
  toBody(): ErrorBody {
    return { error: { message: this.message, type: this.type, param: this.param, code: this.code } };
  }

  /** Response headers that tell SDKs what to do next (WIRE 2.12); lower case. */
  headers(): Record<string, string> {
    const headers: Record<string, string> = { ...this.extraHeaders };
    if (this.retryAfterMs !== undefined) {
      headers['retry-after-ms'] = String(Math.max(0, Math.ceil(this.retryAfterMs)));
      headers['retry-after'] = String(Math.max(0, Math.ceil(this.retryAfterMs / 1000)));
    }
    const shouldRetry = this.shouldRetry ?? ((this.retryAfterMs ?? 0) > LONGEST_WAIT_MS ? false : undefined);
    if (shouldRetry !== undefined) headers['x-should-retry'] = String(shouldRetry);
    return headers;
  }
}

/** Any thrown value as something safe to show: unknown errors become a plain 500 that tells nothing of our insides. */
export function toGatewayError(thrown: unknown): GatewayError {
  if (thrown instanceof GatewayError) return thrown;
  return new GatewayError('internal_server_error', 'The gateway failed to handle this request.', { cause: thrown });
}
