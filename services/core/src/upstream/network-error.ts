import { GatewayError } from '../errors/index.ts';

const CONNECT_CODES = new Map([
  ['ECONNREFUSED', 'connection refused'],
  ['EHOSTUNREACH', 'host unreachable'],
  ['ENETUNREACH', 'network unreachable'],
  ['ENOTFOUND', 'host name not found'],
  ['EAI_AGAIN', 'host name lookup failed'],
  ['EPIPE', 'connection closed'],
  ['ECONNRESET', 'connection reset'],
  ['UND_ERR_SOCKET', 'connection closed'],
  ['UND_ERR_CLOSED', 'connection closed'],
  ['UND_ERR_DESTROYED', 'connection closed'],
]);

const TLS_CODE = /^(ERR_TLS|ERR_SSL|CERT_|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO|HOSTNAME_MISMATCH)/;

/**
 * A transport failure as the client may see it: what happened, never an address, a credential or a stack
 * (DESIGN 6: a reset is `overloaded`, a connection that never opened in time is `silent`).
 */
export function networkError(thrown: unknown, provider: string): GatewayError {
  if (thrown instanceof GatewayError) return thrown;
  const code = codeOf(thrown);
  if (code === 'UND_ERR_CONNECT_TIMEOUT' || code === 'ETIMEDOUT') {
    return new GatewayError('upstream_timeout', `The provider ${provider} did not accept a connection in time.`, {
      failure: 'silent',
      code: 'connect_timeout',
      cause: thrown,
    });
  }
  if (TLS_CODE.test(code)) {
    return new GatewayError('upstream_error', `No secure connection to the provider ${provider}: ${code}.`, {
      failure: 'overloaded',
      code: 'tls_error',
      cause: thrown,
    });
  }
  const what = CONNECT_CODES.get(code) ?? (code.startsWith('HPE_') ? 'malformed HTTP response' : 'connection failed');
  return new GatewayError('upstream_error', `The provider ${provider} could not be reached: ${what}.`, {
    failure: 'overloaded',
    code: code === 'ENOTFOUND' || code === 'EAI_AGAIN' ? 'dns_error' : 'connection_error',
    cause: thrown,
  });
}

function codeOf(thrown: unknown): string {
  if (typeof thrown !== 'object' || thrown === null) return '';
  const { name, code, cause, errors } = thrown as { name?: unknown; code?: unknown; cause?: unknown; errors?: unknown };
  // Happy eyeballs wraps one error an address.
  if (Array.isArray(errors) && errors.length > 0) return codeOf(errors[0]);
  if (code === 'UND_ERR_SOCKET' && cause !== undefined) return codeOf(cause) || code;
  if (typeof code === 'string') return code;
  // undici's, which has a code for some faults only.
  if (name === 'HTTPParserError') return 'HPE_UNKNOWN';
  return cause === undefined ? '' : codeOf(cause);
}
