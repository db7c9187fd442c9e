import { createLocalJWKSet, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import { Agent, request } from 'undici';

const TIMEOUT_MS = 5_000;
const MAX_BYTES = 1024 * 1024;
/** Keys are fetched anew when they are older than this ... */
const FRESH_MS = 10 * 60_000;
/** ... or when a token names one that is not among them, but not more often than this: such tokens cost nothing to make. */
const COOLDOWN_MS = 15_000;

export interface JwksSourceOptions {
  readonly issuer: string;
  /** '': asked of the issuer's `.well-known/openid-configuration` (OpenID Connect Discovery 1.0, section 4). */
  readonly jwksUri: string;
  /** A change of state, in words for the log. */
  readonly onFailure: (reason: string) => void;
  /** Default 15,000. */
  readonly cooldownMs?: number;
}

/**
 * The public keys of one issuer (RFC 7517), fetched when first needed, renewed in the background, kept when the issuer
 * cannot be reached: an outage of the issuer is none of the gateway.
 */
export class JwksSource {
  readonly #options: JwksSourceOptions;
  readonly #cooldownMs: number;
  readonly #agent = new Agent({ connections: 2, keepAliveTimeout: 1_000 });
  #keys: JWTVerifyGetKey | null = null;
  #fetchedAt = Number.NEGATIVE_INFINITY;
  #triedAt = Number.NEGATIVE_INFINITY;
  #fetching: Promise<void> | null = null;
  #failed = false;

  constructor(options: JwksSourceOptions) {
    this.#options = options;
    this.#cooldownMs = options.cooldownMs ?? COOLDOWN_MS;
  }

  /** The keys at hand; null when none could ever be fetched. */
  async keys(): Promise<JWTVerifyGetKey | null> {
    const now = performance.now();
    if (this.#keys === null) {
      if (this.#fetching !== null || now - this.#triedAt >= this.#cooldownMs || !this.#failed) await this.#fetch();
    } else if (now - this.#fetchedAt > FRESH_MS && now - this.#triedAt >= this.#cooldownMs) void this.#fetch();
    return this.#keys;
  }

  /** A token named a key that is not at hand: true when the keys were fetched anew and may have it. */
  async rotated(): Promise<boolean> {
    if (this.#fetching === null && performance.now() - this.#triedAt < this.#cooldownMs) return false;
    const before = this.#fetchedAt;
    await this.#fetch();
    return this.#fetchedAt !== before;
  }

  close(): void {
    void this.#agent.close();
  }

  #fetch(): Promise<void> {
    this.#fetching ??= this.#load().finally(() => {
      this.#fetching = null;
    });
    return this.#fetching;
  }

  async #load(): Promise<void> {
    this.#triedAt = performance.now();
    try {
      const uri = this.#options.jwksUri || (await this.#discover());
      this.#keys = createLocalJWKSet((await this.#get(uri)) as unknown as JSONWebKeySet);
      this.#fetchedAt = performance.now();
      this.#failed = false;
    } catch (error) {
      if (!this.#failed) this.#options.onFailure(error instanceof Error ? error.message : String(error));
      this.#failed = true;
    }
  }

  async #discover(): Promise<string> {
    const { issuer } = this.#options;
    const document = await this.#get(`${issuer.replace(/\/+$/, '')}/.well-known/openid-configuration`);
    // Else one issuer's keys could stand in for another's.
    if (document.issuer !== issuer) throw new Error('the discovery document names another issuer');
    if (typeof document.jwks_uri !== 'string') throw new Error('the discovery document names no jwks_uri');
    return document.jwks_uri;
  }

  async #get(uri: string): Promise<Record<string, unknown>> {
    const { statusCode, body } = await request(uri, {
      dispatcher: this.#agent,
      headers: { accept: 'application/json' },
      headersTimeout: TIMEOUT_MS,
      bodyTimeout: TIMEOUT_MS,
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of body as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > MAX_BYTES) throw new Error(`${uri} answers with more than ${MAX_BYTES} bytes`);
      chunks.push(chunk);
    }
    if (statusCode !== 200) throw new Error(`${uri} answers with status ${statusCode}`);
    const document: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'));
    if (typeof document !== 'object' || document === null)
      throw new Error(`${uri} answers with something else than an object`);
    return document as Record<string, unknown>;
  }
}
