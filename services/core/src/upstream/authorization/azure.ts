import type { Authorizer, Unauthorized } from './authorizer.ts';
import { noCredentials } from './google.ts';
import { TokenCache } from './token-cache.ts';

const SCOPE = 'https://cognitiveservices.azure.com/.default';

/** Azure OpenAI: a key or a given Entra token by header, else Entra tokens through @azure/identity's default chain. */
export class AzureAuthorizer implements Authorizer {
  readonly #key: string | null;
  readonly #fixed: string | null;
  readonly #tokens: TokenCache;

  constructor(provider: string, credentials: Readonly<Record<string, string>>) {
    this.#key = credentials.apiKey ?? null;
    this.#fixed = credentials.accessToken ?? null;
    this.#tokens = new TokenCache(async () => {
      try {
        const { DefaultAzureCredential } = await import('@azure/identity');
        const token = await new DefaultAzureCredential().getToken(SCOPE);
        return { value: token.token, expiresAt: token.expiresOnTimestamp };
      } catch (cause) {
        throw noCredentials(provider, 'Azure', cause);
      }
    });
  }

  authorize({ headers }: Unauthorized): readonly string[] | Promise<readonly string[]> {
    if (this.#key !== null) return this.#key === 'none' ? headers : [...headers, 'api-key', this.#key];
    const token = this.#fixed ?? this.#tokens.get(Date.now());
    if (typeof token === 'string') return [...headers, 'authorization', `Bearer ${token}`];
    return token.then((value) => [...headers, 'authorization', `Bearer ${value}`]);
  }
}
