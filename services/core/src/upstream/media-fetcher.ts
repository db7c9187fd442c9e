import { isIP } from 'node:net';
import { Agent, request } from 'undici';
import { GatewayError } from '../errors/index.ts';
import { isPublicAddress, lookupPublic, PrivateAddressError } from './public-address.ts';

export interface Media {
  readonly mediaType: string;
  /** Base64. */
  readonly data: string;
}

export interface MediaFetcherOptions {
  /** Lets URLs on private addresses through (`network.allowPrivateFileUrls`). */
  readonly allowPrivate: boolean;
  readonly maxBytes?: number;
  readonly timeoutMs?: number;
}

const MAX_BYTES = 20 * 1024 * 1024;
const TIMEOUT_MS = 10_000;
const MAX_REDIRECTS = 3;
const MAX_URLS = 20;

const guarded = new Agent({ connect: { lookup: lookupPublic, timeout: 5_000 }, keepAliveTimeout: 1_000 });
const open = new Agent({ connect: { timeout: 5_000 }, keepAliveTimeout: 1_000 });

/**
 * Fetches images and files that clients name by URL, for providers that take no URLs. Bounded in size and time; never from a
 * private address, also not after a redirect or a change of DNS. Throws a GatewayError (400) that names the URL's fault.
 */
export async function fetchMedia(urls: readonly string[], options: MediaFetcherOptions): Promise<Map<string, Media>> {
  const distinct = [...new Set(urls)];
  if (distinct.length > MAX_URLS) throw refused(`more than ${MAX_URLS} URLs in one request`);
  const signal = AbortSignal.timeout(options.timeoutMs ?? TIMEOUT_MS);
  const fetched = await Promise.all(distinct.map(async (url) => [url, await fetchOne(url, options, signal)] as const));
  return new Map(fetched);
}

async function fetchOne(first: string, options: MediaFetcherOptions, signal: AbortSignal): Promise<Media> {
  let url = parseUrl(first);
  try {
    for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
      checkHost(url, options);
      const answer = await request(url, {
        dispatcher: options.allowPrivate ? open : guarded,
        signal,
        headers: { 'user-agent': 'headgate' },
      });
      const location = answer.headers.location;
      // A body that is given up reports that as an error, which nobody else would hear: it would end the process.
      answer.body.on('error', () => undefined);
      if (answer.statusCode >= 300 && answer.statusCode < 400 && typeof location === 'string') {
        answer.body.destroy();
        url = parseUrl(new URL(location, url).href);
        continue;
      }
      if (answer.statusCode !== 200) {
        answer.body.destroy();
        throw refused(`the server answered ${answer.statusCode}`);
      }
      const bytes = await readBounded(answer.body, options.maxBytes ?? MAX_BYTES);
      return { mediaType: mediaType(answer.headers['content-type'], url), data: bytes.toString('base64') };
    }
    throw refused(`more than ${MAX_REDIRECTS} redirects`);
  } catch (error) {
    throw asRefusal(error);
  }
}

function parseUrl(text: string): URL {
  const url = URL.parse(text);
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') throw refused('it is not an http or https URL');
  if (url.username !== '' || url.password !== '') throw refused('it holds a user name or password');
  return url;
}

/** Literal addresses never pass through a lookup. */
function checkHost(url: URL, { allowPrivate }: MediaFetcherOptions): void {
  if (allowPrivate) return;
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) !== 0 && !isPublicAddress(host)) throw new PrivateAddressError();
  if (host === 'localhost' || host.endsWith('.localhost')) throw new PrivateAddressError();
}

async function readBounded(body: AsyncIterable<Buffer> & { destroy(): void }, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > maxBytes) {
      body.destroy();
      throw refused(`it is larger than ${maxBytes} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

const TYPE_OF_ENDING: Readonly<Record<string, string>> = {
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  gif: 'image/gif',
  webp: 'image/webp',
  pdf: 'application/pdf',
};

function mediaType(header: string | string[] | undefined, url: URL): string {
  const declared =
    String(header ?? '')
      .split(';')[0]
      ?.trim()
      .toLowerCase() ?? '';
  if (declared !== '' && declared !== 'application/octet-stream' && declared !== 'binary/octet-stream') return declared;
  const ending = url.pathname.split('.').at(-1)?.toLowerCase() ?? '';
  return TYPE_OF_ENDING[ending] ?? 'application/octet-stream';
}

function asRefusal(error: unknown): GatewayError {
  if (error instanceof GatewayError) return error;
  if (isPrivateAddress(error)) return refused('its host is not a public address');
  if (error instanceof Error && error.name === 'TimeoutError') return refused('it took too long');
  return refused('the server could not be reached');
}

function isPrivateAddress(error: unknown): boolean {
  if (error instanceof PrivateAddressError) return true;
  return error instanceof Error && error.cause !== undefined && isPrivateAddress(error.cause);
}

function refused(why: string): GatewayError {
  return new GatewayError('invalid_request_error', `An image or file URL of the request cannot be used: ${why}.`, {
    param: 'messages',
    code: 'invalid_file_url',
    failure: 'bad_request',
  });
}
