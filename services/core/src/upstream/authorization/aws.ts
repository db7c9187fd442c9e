import { createHash, createHmac } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';
import type { AwsCredentialIdentity, AwsCredentialIdentityProvider, Checksum, SourceData } from '@smithy/types';
import type { Authorizer, Unauthorized } from './authorizer.ts';
import { noCredentials } from './google.ts';

const RENEW_AHEAD_MS = 5 * 60_000;

/** SigV4 for Bedrock, or one of its API keys as bearer token; credentials as given, or by the AWS default chain (environment, profile, web identity, instance). */
export class AwsAuthorizer implements Authorizer {
  readonly #provider: string;
  readonly #signer: SignatureV4;
  readonly #apiKey: string | null;

  constructor(provider: string, credentials: Readonly<Record<string, string>>, region: string) {
    this.#provider = provider;
    this.#apiKey = credentials.apiKey ?? null;
    this.#signer = new SignatureV4({ service: 'bedrock', region, credentials: source(credentials), sha256: Sha256 });
  }

  async authorize({ url, headers, body }: Unauthorized): Promise<readonly string[]> {
    if (this.#apiKey !== null) return [...headers, 'authorization', `Bearer ${this.#apiKey}`];
    const { protocol, hostname, port, host, pathname } = new URL(url);
    const named: Record<string, string> = { host };
    for (let i = 0; i + 1 < headers.length; i += 2) named[headers[i] ?? ''] = headers[i + 1] ?? '';
    try {
      const signed = await this.#signer.sign({
        method: 'POST',
        protocol,
        hostname,
        ...(port === '' ? {} : { port: Number(port) }),
        path: pathname,
        query: {},
        headers: named,
        body,
      });
      const { host: _, ...rest } = signed.headers;
      return Object.entries(rest).flat();
    } catch (cause) {
      throw noCredentials(this.#provider, 'AWS', cause);
    }
  }
}

function source(credentials: Readonly<Record<string, string>>): AwsCredentialIdentityProvider {
  const { accessKeyId, secretAccessKey, sessionToken } = credentials;
  if (accessKeyId !== undefined && secretAccessKey !== undefined) {
    const fixed = { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) };
    return async () => fixed;
  }
  return renewed(async () => {
    const { defaultProvider } = await import('@aws-sdk/credential-provider-node');
    return defaultProvider();
  });
}

/** The chain's credentials, renewed ahead of their expiry; concurrent requests share one renewal. */
function renewed(chain: () => Promise<AwsCredentialIdentityProvider>): AwsCredentialIdentityProvider {
  let provider: Promise<AwsCredentialIdentityProvider> | null = null;
  let held: AwsCredentialIdentity | null = null;
  let renewing: Promise<AwsCredentialIdentity> | null = null;
  const renew = (): Promise<AwsCredentialIdentity> => {
    provider ??= chain();
    renewing ??= provider
      .then((get) => get({ forceRefresh: held !== null }))
      .then((fresh) => {
        held = fresh;
        return fresh;
      })
      .finally(() => {
        renewing = null;
      });
    return renewing;
  };
  return async () => {
    if (held === null) return renew();
    const left = held.expiration === undefined ? Number.POSITIVE_INFINITY : held.expiration.getTime() - Date.now();
    if (left <= 0) return renew();
    if (left < RENEW_AHEAD_MS) renew().catch(() => undefined);
    return held;
  };
}

/** What the signer needs of SHA-256 and HMAC, by node's own crypto. */
class Sha256 implements Checksum {
  readonly #secret: SourceData | undefined;
  #hash: ReturnType<typeof createHash> | ReturnType<typeof createHmac>;

  constructor(secret?: SourceData) {
    this.#secret = secret;
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', bytesOf(secret));
  }

  update(data: Uint8Array): void {
    this.#hash.update(data);
  }

  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }

  reset(): void {
    this.#hash = this.#secret === undefined ? createHash('sha256') : createHmac('sha256', bytesOf(this.#secret));
  }
}

function bytesOf(data: SourceData): Uint8Array | string {
  if (typeof data === 'string') return data;
  return ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data);
}
