import { GatewayError } from '../../errors/index.ts';
import type { Authorizer, Unauthorized } from './authorizer.ts';
import { type Token, TokenCache } from './token-cache.ts';

const SCOPE = 'https://www.googleapis.com/auth/cloud-platform';
/** What Google's tokens live for, where the library does not say. */
const USUAL_LIFE_MS = 50 * 60_000;

/**
 * Bearer tokens for Vertex: a given access token, a service account (object or file), or the environment's own identity
 * (workload identity, metadata server), all but the first through google-auth-library.
 */
export class GoogleAuthorizer implements Authorizer {
  readonly #provider: string;
  readonly #fixed: string | null;
  readonly #tokens: TokenCache;

  constructor(provider: string, credentials: Readonly<Record<string, string>>) {
    this.#provider = provider;
    this.#fixed = credentials.accessToken ?? null;
    this.#tokens = new TokenCache(() => this.#fetch(credentials));
  }

  authorize({ headers }: Unauthorized): readonly string[] | Promise<readonly string[]> {
    const token = this.#fixed ?? this.#tokens.get(Date.now());
    if (typeof token === 'string') return [...headers, 'authorization', `Bearer ${token}`];
    return token.then((value) => [...headers, 'authorization', `Bearer ${value}`]);
  }

  async #fetch(credentials: Readonly<Record<string, string>>): Promise<Token> {
    try {
      // Loaded when it is needed: few deployments are, and it is large.
      const { GoogleAuth } = await import('google-auth-library');
      const { credentials: account, credentialsFile } = credentials;
      const auth = new GoogleAuth({
        scopes: [SCOPE],
        ...(account === undefined ? {} : { credentials: JSON.parse(account) as Record<string, string> }),
        ...(credentialsFile === undefined ? {} : { keyFilename: credentialsFile }),
      });
      const client = await auth.getClient();
      const { token } = await client.getAccessToken();
      if (!token) throw new Error('no token was issued');
      return { value: token, expiresAt: client.credentials.expiry_date ?? Date.now() + USUAL_LIFE_MS };
    } catch (cause) {
      throw noCredentials(this.#provider, 'Google', cause);
    }
  }
}

export function noCredentials(provider: string, whose: string, cause: unknown): GatewayError {
  return new GatewayError(
    'upstream_error',
    `The gateway has no valid ${whose} credentials for the provider ${provider}.`,
    {
      failure: 'auth',
      code: 'provider_auth_failed',
      cause,
    },
  );
}
