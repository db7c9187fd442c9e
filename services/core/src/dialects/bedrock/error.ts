import type { FailureClass, GatewayError } from '../../errors/index.ts';
import type { ErrorAnswer } from '../dialect.ts';
import { classOfStatus, providerError } from '../provider-error.ts';
import { retryAfterMs } from '../retry-after.ts';

interface Kind {
  readonly status: number;
  readonly failure: FailureClass;
}

const auth: Kind = { status: 403, failure: 'auth' };

/**
 * Exceptions of the service (https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html) and of
 * AWS before it (https://docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html); the status is for those in a stream.
 */
const KINDS: ReadonlyMap<string, Kind> = new Map([
  ['ThrottlingException', { status: 429, failure: 'rate_limited' }],
  ['TooManyRequestsException', { status: 429, failure: 'rate_limited' }],
  ['ServiceQuotaExceededException', { status: 429, failure: 'rate_limited' }],
  ['ModelNotReadyException', { status: 503, failure: 'overloaded' }],
  ['ServiceUnavailableException', { status: 503, failure: 'overloaded' }],
  ['ServiceUnavailable', { status: 503, failure: 'overloaded' }],
  ['InternalServerException', { status: 500, failure: 'overloaded' }],
  ['InternalFailure', { status: 500, failure: 'overloaded' }],
  ['ModelErrorException', { status: 502, failure: 'overloaded' }],
  ['ModelStreamErrorException', { status: 502, failure: 'overloaded' }],
  // The model had its time: the same route would take as long again.
  ['ModelTimeoutException', { status: 408, failure: 'silent' }],
  ['AccessDeniedException', auth],
  ['AccessDenied', auth],
  ['UnrecognizedClientException', auth],
  ['InvalidClientTokenId', auth],
  ['InvalidSignatureException', auth],
  ['SignatureDoesNotMatch', auth],
  ['IncompleteSignature', auth],
  ['IncompleteSignatureException', auth],
  ['MissingAuthenticationToken', auth],
  ['MissingAuthenticationTokenException', auth],
  ['ExpiredToken', auth],
  ['ExpiredTokenException', auth],
  ['RequestExpired', auth],
  ['NotAuthorized', auth],
  ['OptInRequired', auth],
  ['ResourceNotFoundException', { status: 404, failure: 'bad_request' }],
  ['ValidationException', { status: 400, failure: 'bad_request' }],
  ['SerializationException', { status: 400, failure: 'bad_request' }],
]);

/** Never throws. The exception's name is in a header, or in the body. */
export function decodeBedrockError({ status, header, body, provider, now }: ErrorAnswer): GatewayError {
  const error = parse(body);
  const type = plainType(header('x-amzn-errortype') ?? error.type);
  const kind = KINDS.get(type);
  // A proxy's 5xx may say anything; the service's own names say more than its statuses, such as 429 for a model that starts.
  return fault(provider, type, error.message, kind ?? { status, failure: classOfStatus(status) }, {
    status: kind?.failure === 'overloaded' || kind?.failure === 'rate_limited' ? kind.status : status,
    retryAfterMs: retryAfterMs(header, now),
  });
}

/** An exception in mid-stream; its name begins with a small letter there. */
export function streamFailure(name: string, message: string): GatewayError {
  const type = plainType(name);
  const kind = KINDS.get(type) ?? { status: 500, failure: 'overloaded' };
  return fault('of this model', type, message, kind, { status: kind.status, retryAfterMs: undefined });
}

function fault(
  provider: string,
  type: string,
  message: string,
  { failure }: Kind,
  rest: { readonly status: number; readonly retryAfterMs: number | undefined },
): GatewayError {
  const tooLong = failure === 'bad_request' && isTooLong(message);
  const filtered = failure === 'bad_request' && /blocked by content filter|guardrail intervened/i.test(message);
  return providerError({
    provider,
    ...rest,
    message,
    // Streams need a permission of their own (https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html).
    param: failure === 'auth' && message.includes('bedrock:InvokeModelWithResponseStream') ? 'stream' : null,
    code: type === '' ? null : type,
    failure: tooLong ? 'context_length' : filtered ? 'content_filter' : failure,
  });
}

/** The prompt is: a wish for too many tokens of output is another mistake. */
function isTooLong(message: string): boolean {
  if (/maximum tokens you requested/i.test(message)) return false;
  return /too long|too many (input )?tokens|maximum (number of )?(input )?tokens|maximum context|context (length|window|limit)|> \d+ maximum/i.test(
    message,
  );
}

/** `ValidationException:http://...` and `com.amazon.coral#ValidationException` are both `ValidationException`. */
function plainType(name: string): string {
  const plain = name.replace(/^.*#/s, '').replace(/:.*$/s, '').trim();
  return plain.charAt(0).toUpperCase() + plain.slice(1);
}

function parse(body: Buffer): { readonly type: string; readonly message: string } {
  try {
    const parsed: unknown = JSON.parse(body.toString('utf8'));
    if (typeof parsed === 'object' && parsed !== null) {
      const { __type: type, code, message, Message, Output } = parsed as Record<string, unknown>;
      const inner = typeof Output === 'object' && Output !== null ? (Output as Record<string, unknown>).__type : '';
      return { type: firstText(type, code, inner), message: firstText(message, Message) };
    }
  } catch {
    // A proxy's page, say: its status has to do.
  }
  return { type: '', message: '' };
}

const firstText = (...values: readonly unknown[]): string =>
  values.find((value): value is string => typeof value === 'string' && value !== '') ?? '';
