import type { OutgoingHttpHeaders } from 'node:http';
import type { Directives } from '../faults/directives.ts';

/** `retry-after` in the spelling the directives ask for: seconds or anything literal, milliseconds, or an HTTP date. */
export function retryHeaders(directives: Directives): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = {};
  if (directives['retry-after'] !== undefined) headers['retry-after'] = directives['retry-after'];
  if (directives['retry-after-ms'] !== undefined) headers['retry-after-ms'] = String(directives['retry-after-ms']);
  if (directives['retry-after-date'] !== undefined)
    headers['retry-after'] = new Date(Date.now() + directives['retry-after-date'] * 1000).toUTCString();
  return headers;
}
