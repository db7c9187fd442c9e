import { type FailureClass, GatewayError, type GatewayErrorOptions } from '../errors/index.ts';

/** What a dialect found in a provider's error body. */
export interface ProviderFault {
  readonly provider: string;
  readonly status: number;
  /** The provider's own words; empty when it had none. */
  readonly message: string;
  readonly param: string | null;
  readonly code: string | null;
  readonly retryAfterMs: number | undefined;
  /** When the dialect can tell more than the status does. */
  readonly failure?: FailureClass;
}

/** The failure class that goes with a status alone (DESIGN 6). */
export function classOfStatus(status: number): FailureClass {
  if (status === 429) return 'rate_limited';
  // 402: our account at the provider ran dry, which is neither the caller's money nor theirs to fix.
  if (status === 401 || status === 402 || status === 403) return 'auth';
  // A redirect: the base URL is wrong, which is not the caller's fault.
  if (status < 400) return 'overloaded';
  if (status >= 500 || status === 408 || status === 409) return 'overloaded';
  return 'bad_request';
}

/** The error that the client sees for a provider's fault (WIRE 2.11, 2.17, 2.19). Its `retryAfterMs` is set only where the provider said it. */
export function providerError(fault: ProviderFault): GatewayError {
  const failure = fault.failure ?? classOfStatus(fault.status);
  const said = redact(fault.message);
  const options: GatewayErrorOptions = {
    failure,
    ...(fault.code === null ? {} : { code: fault.code }),
    ...(fault.retryAfterMs === undefined ? {} : { retryAfterMs: fault.retryAfterMs }),
  };
  switch (failure) {
    case 'rate_limited':
      return new GatewayError(
        'rate_limit_exceeded',
        said || `The provider ${fault.provider} is rate limiting.`,
        options,
      );
    case 'auth':
      // The provider's words on our credential and our account stay with the operator: they may quote it.
      if (fault.status === 402) {
        return new GatewayError(
          'upstream_error',
          `The gateway's account at the provider ${fault.provider} is exhausted.`,
          {
            ...options,
            code: 'provider_payment_required',
          },
        );
      }
      return new GatewayError('upstream_error', `The provider ${fault.provider} refused the gateway's credentials.`, {
        ...options,
        // All that it may tell: a stream is refused where a whole answer might not be.
        ...(fault.param === 'stream' ? { param: 'stream' } : {}),
        code: 'provider_auth_failed',
      });
    case 'context_length':
      return new GatewayError('invalid_request_error', said || 'The request is too long for the model.', {
        ...options,
        param: fault.param ?? 'messages',
        code: 'context_length_exceeded',
      });
    case 'content_filter':
      return new GatewayError('invalid_request_error', said || 'The provider refused this content.', {
        ...options,
        param: fault.param,
        code: 'content_filter',
      });
    case 'bad_request':
      return badRequest(fault, said, options);
    default:
      return overloaded(fault, said, options);
  }
}

function badRequest(fault: ProviderFault, said: string, options: GatewayErrorOptions): GatewayError {
  const message = said || `The provider ${fault.provider} refused the request (status ${fault.status}).`;
  const withParam = { ...options, param: fault.param };
  switch (fault.status) {
    case 404:
      return new GatewayError('model_not_found', message, withParam);
    case 413:
      return new GatewayError('request_too_large', message, withParam);
    case 422:
      return new GatewayError('unprocessable_entity', message, withParam);
    case 424:
      return new GatewayError('failed_dependency', message, withParam);
    default:
      return new GatewayError('invalid_request_error', message, withParam);
  }
}

function overloaded(fault: ProviderFault, said: string, options: GatewayErrorOptions): GatewayError {
  const message = said || `The provider ${fault.provider} failed (status ${fault.status}).`;
  if (fault.status === 503 || fault.status === 529) {
    return new GatewayError('service_unavailable', message, options);
  }
  if (fault.status === 504 || fault.status === 408) return new GatewayError('upstream_timeout', message, options);
  return new GatewayError('upstream_error', message, options);
}

/** Prefixes of keys, with a digit or a mask somewhere behind; Google's keys; bearer tokens and JWTs. */
const KEY_LIKE =
  /\b(?:sk|pk|rk|key|hg|gsk|xai|pplx)[-_](?=[\w.-]*[\d*])[\w*.-]{6,}|\bAIza[\w-]{10,}|\bBearer\s+[\w.~+/=*-]{6,}|\beyJ[\w-]{8,}\.[\w.-]+/gi;

/** Key-like tokens in a provider's message are cut out: some providers quote the credential that they refuse. */
export function redact(message: string): string {
  return message.replace(KEY_LIKE, '[redacted]').slice(0, 2_000);
}
