import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, type GenerateKeyPairResult, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose';

interface SigningKey {
  readonly kid: string;
  readonly alg: string;
  readonly privateKey: GenerateKeyPairResult['privateKey'];
  readonly publicJwk: JWK;
}

/** An OIDC issuer on a port of its own: discovery document, keys that can be rotated, and tokens. */
export class OidcIssuer {
  /** Paths that were asked for. */
  readonly requests: string[] = [];
  /** Answers everything with this status while it is not null. */
  failWith: number | null = null;
  /** In the discovery document, in place of its own. */
  claimedIssuer: string | null = null;
  readonly #server: Server;
  readonly #published: SigningKey[] = [];
  #signing: SigningKey;

  static async start(alg = 'ES256'): Promise<OidcIssuer> {
    const issuer = new OidcIssuer(await newKey(alg, 'key-1'));
    await once(issuer.#server.listen(0, '127.0.0.1'), 'listening');
    return issuer;
  }

  private constructor(key: SigningKey) {
    this.#signing = key;
    this.#published.push(key);
    this.#server = createServer((request, response) => {
      this.requests.push(request.url ?? '');
      const body = this.#document(request.url ?? '');
      response.writeHead(this.failWith ?? (body === null ? 404 : 200), { 'content-type': 'application/json' });
      response.end(JSON.stringify(body ?? {}));
    });
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  #document(path: string): object | null {
    if (path === '/.well-known/openid-configuration') {
      return { issuer: this.claimedIssuer ?? this.url, jwks_uri: `${this.url}/jwks` };
    }
    return path === '/jwks' ? { keys: this.#published.map(({ publicJwk }) => publicJwk) } : null;
  }

  /** Signs with a new key from now on. `publish: false`: with one that is kept to itself. */
  async rotate({ publish = true, alg = 'ES256' } = {}): Promise<void> {
    this.#signing = await newKey(alg, `key-${this.#published.length + 1}`);
    if (publish) this.#published.push(this.#signing);
  }

  /** A token for `subject`; `claims` are laid over the usual ones, undefined takes one out. */
  async token(claims: Record<string, unknown> = {}, header: Record<string, unknown> = {}): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    const all = { iss: this.url, aud: 'headgate', sub: 'subject', iat: now, exp: now + 600, ...claims };
    const { kid, alg, privateKey } = this.#signing;
    return new SignJWT(JSON.parse(JSON.stringify(all)) as JWTPayload)
      .setProtectedHeader({ alg, kid, ...header })
      .sign(privateKey);
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

async function newKey(alg: string, kid: string): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { kid, alg, privateKey, publicJwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } };
}
