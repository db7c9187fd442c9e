import type { IncomingHttpHeaders } from 'node:http';

const credentials = new Set([
  'authorization',
  'x-api-key',
  'api-key',
  'x-goog-api-key',
  'x-amz-security-token',
  'cookie',
  'proxy-authorization',
]);

/** The headers as recorded: joined to strings, credentials reduced to their last four characters. */
export function recordableHeaders(headers: IncomingHttpHeaders): Record<string, string> {
  const recorded: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined) continue;
    const joined = Array.isArray(value) ? value.join(', ') : value;
    recorded[name] = credentials.has(name) ? lastFour(joined) : joined;
  }
  return recorded;
}

/** The query as recorded: Google takes its key there, too. */
export function recordableQuery(url: URL): string {
  const key = url.searchParams.get('key');
  if (key === null) return url.search;
  const query = new URLSearchParams(url.searchParams);
  query.set('key', lastFour(key));
  return `?${query}`;
}

function lastFour(credential: string): string {
  const [scheme = '', secret] = credential.split(/\s+/, 2);
  const shown = (value: string) => (value.length > 8 ? `…${value.slice(-4)}` : '…');
  return secret === undefined ? shown(scheme) : `${scheme} ${shown(secret)}`;
}
