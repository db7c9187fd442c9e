/** Cross-origin use from browsers: which origin is answered, and with what (Fetch standard, "CORS protocol"). */

const METHODS = 'GET, POST, DELETE, OPTIONS';
const EXPOSED =
  'x-request-id, x-generation-id, x-headgate-provider, x-headgate-budget-warning, retry-after, retry-after-ms, x-should-retry, ' +
  'x-ratelimit-limit-requests, x-ratelimit-remaining-requests, x-ratelimit-reset-requests, ' +
  'x-ratelimit-limit-tokens, x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens, server-timing, content-disposition';

/** The value of `access-control-allow-origin`; '' when this origin may not read the answer. */
export function allowedOrigin(origin: string, allowed: readonly string[]): string {
  if (origin === '') return '';
  if (allowed.includes('*')) return '*';
  return allowed.includes(origin) ? origin : '';
}

/** Headers of an ordinary answer to a browser, as a flat name, value list. */
export function corsHeaders(allowOrigin: string): readonly string[] {
  if (allowOrigin === '') return [];
  const headers = ['access-control-allow-origin', allowOrigin, 'access-control-expose-headers', EXPOSED];
  return allowOrigin === '*' ? headers : [...headers, 'vary', 'origin'];
}

/** Headers of the answer to a preflight. The SDKs send many `x-stainless-*` headers, so what is asked for is allowed. */
export function preflightHeaders(allowOrigin: string, requestedHeaders: string): readonly string[] {
  if (allowOrigin === '') return ['vary', 'origin'];
  return [
    'access-control-allow-origin',
    allowOrigin,
    'access-control-allow-methods',
    METHODS,
    'access-control-allow-headers',
    /^[\w\-, ]{1,2000}$/.test(requestedHeaders) ? requestedHeaders : 'authorization, content-type',
    'access-control-max-age',
    '86400',
    'vary',
    'origin, access-control-request-headers',
  ];
}
