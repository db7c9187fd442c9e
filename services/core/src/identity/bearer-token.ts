export type BearerToken =
  | { readonly ok: true; readonly token: string }
  | { readonly ok: false; readonly reason: 'missing' | 'malformed' };

const MISSING: BearerToken = { ok: false, reason: 'missing' };
const MALFORMED: BearerToken = { ok: false, reason: 'malformed' };
const BEARER = /^[ \t]*bearer[ \t]+([\x21-\x7e]+)[ \t]*$/i;
const LONGEST = 16_384;

/** Reads `Authorization: Bearer <token>` (RFC 6750; the scheme in any case); an absent or empty header is missing. */
export function bearerToken(header: string | undefined): BearerToken {
  if (header === undefined || header === '') return MISSING;
  if (header.length > LONGEST) return MALFORMED;
  const token = BEARER.exec(header)?.[1];
  if (token !== undefined) return { ok: true, token };
  return /^[ \t]*(bearer[ \t]*)?$/i.test(header) ? MISSING : MALFORMED;
}
