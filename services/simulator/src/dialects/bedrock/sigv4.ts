import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { ServiceException } from './errors.ts';

/** What a signature covers. `url` is the request target as it came. */
export interface SignedRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** The access key whose secret is known, so that its signatures can be checked. */
const knownKey = { id: 'AKIDSIMULATOR', secret: 'simulator-secret' };
const invalidKeys = new Set(['AKIDINVALID', 'sk-invalid']);
const maxSkewMs = 5 * 60 * 1000;

const shape =
  /^AWS4-HMAC-SHA256 +Credential=([^/,\s]+)\/(\d{8})\/([a-z0-9-]+)\/([a-z0-9-]+)\/([a-z0-9_]+), *SignedHeaders=([a-z0-9;_-]+), *Signature=([0-9a-f]{64})$/;

/**
 * Checks the credentials of a request: a Bedrock API key as bearer token, or Signature Version 4 (AWS General Reference,
 * "Create a signed AWS API request"). Throws what AWS would answer with.
 */
export function authorize(request: SignedRequest, now: number): void {
  const { authorization } = request.headers;
  if (authorization === undefined)
    throw new ServiceException(403, 'MissingAuthenticationTokenException', 'Missing Authentication Token');
  const bearer = /^Bearer\s+(\S+)$/i.exec(authorization)?.[1];
  if (bearer !== undefined) {
    refuseInvalid(bearer);
    return;
  }
  const parts = shape.exec(authorization);
  if (parts === null) throw incomplete(authorization);
  const [, id = '', date = '', region = '', service = '', terminator = '', signedHeaders = '', signature = ''] = parts;
  refuseInvalid(id);
  const names = signedHeaders.split(';');
  checkScope(request.headers, { date, service, terminator }, now);
  checkSignedHeaders(request.headers, names);
  if (id !== knownKey.id) return;
  const scope = `${date}/${region}/${service}/${terminator}`;
  const expected = signatureOf(request, names, scope, [date, region, service, terminator]);
  if (!timingSafeEqual(Buffer.from(signature), Buffer.from(expected)))
    throw badSignature(
      'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.',
    );
}

function refuseInvalid(key: string): void {
  if (invalidKeys.has(key))
    throw new ServiceException(
      403,
      'UnrecognizedClientException',
      'The security token included in the request is invalid.',
    );
}

/** Names what is missing without repeating what may be a secret. */
function incomplete(authorization: string): ServiceException {
  const missing = ['Credential', 'SignedHeaders', 'Signature'].filter((name) => !authorization.includes(`${name}=`));
  return new ServiceException(
    403,
    'IncompleteSignatureException',
    missing.length === 0
      ? "The 'Authorization' header is malformed: expected 'AWS4-HMAC-SHA256 Credential=ID/DATE/REGION/bedrock/aws4_request, SignedHeaders=..., Signature=...'."
      : missing.map((name) => `Authorization header requires '${name}' parameter.`).join(' '),
  );
}

function badSignature(message: string): ServiceException {
  return new ServiceException(403, 'InvalidSignatureException', message);
}

function checkScope(
  headers: IncomingHttpHeaders,
  scope: { readonly date: string; readonly service: string; readonly terminator: string },
  now: number,
): void {
  if (scope.service !== 'bedrock') throw badSignature("Credential should be scoped to correct service: 'bedrock'. ");
  if (scope.terminator !== 'aws4_request')
    throw badSignature(
      `Credential should be scoped with a valid terminator: 'aws4_request', not '${scope.terminator}'.`,
    );
  const stamp = single(headers['x-amz-date']);
  const time = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(stamp);
  if (time === null)
    throw new ServiceException(
      403,
      'IncompleteSignatureException',
      "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
    );
  if (!stamp.startsWith(scope.date))
    throw badSignature(
      `Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: ${stamp}`,
    );
  const [, year, month, day, hour, minute, second] = time.map(Number);
  const signedAt = Date.UTC(year ?? 0, (month ?? 1) - 1, day, hour, minute, second);
  if (now - signedAt > maxSkewMs) throw badSignature(`Signature expired: ${stamp} is now earlier than 5 min ago.`);
  if (signedAt - now > maxSkewMs)
    throw badSignature(`Signature not yet current: ${stamp} is still later than in 5 min.`);
}

/** `host` and every `x-amz-*` header must be signed, and what is signed must be there. */
function checkSignedHeaders(headers: IncomingHttpHeaders, names: readonly string[]): void {
  const needed = ['host', ...Object.keys(headers).filter((name) => name.startsWith('x-amz-'))];
  const unsigned = needed.filter((name) => !names.includes(name));
  if (unsigned.length > 0)
    throw badSignature(`There were headers present in the request which were not signed: ${unsigned.join(', ')}`);
  const absent = names.filter((name) => headers[name] === undefined);
  if (absent.length > 0) throw badSignature(`Signed headers are not in the request: ${absent.join(', ')}`);
}

function signatureOf(
  { method, url, headers, body }: SignedRequest,
  names: readonly string[],
  scope: string,
  keyParts: readonly string[],
): string {
  const [path = '/', query = ''] = url.split('?', 2);
  const canonical = [
    method,
    // Every service but S3 encodes the path once more than it was sent.
    path.split('/').map(encode).join('/'),
    canonicalQuery(query),
    ...names.map((name) => `${name}:${single(headers[name]).trim().replace(/ +/g, ' ')}`),
    '',
    names.join(';'),
    sha256(body),
  ].join('\n');
  const toSign = ['AWS4-HMAC-SHA256', single(headers['x-amz-date']), scope, sha256(canonical)].join('\n');
  const key = keyParts.reduce<string | Buffer>((secret, part) => hmac(secret, part), `AWS4${knownKey.secret}`);
  return hmac(key, toSign).toString('hex');
}

function canonicalQuery(query: string): string {
  const pairs = [...new URLSearchParams(query)].map(([name, value]) => `${encode(name)}=${encode(value)}`);
  return pairs.sort().join('&');
}

/** Percent-encodes all but the unreserved characters of RFC 3986. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

function single(value: string | readonly string[] | undefined): string {
  return typeof value === 'string' ? value : (value ?? []).join(',');
}

function sha256(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}

function hmac(key: string | Buffer, data: string): Buffer {
  return createHmac('sha256', key).update(data).digest();
}
