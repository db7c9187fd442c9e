export interface Token {
  readonly value: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** Renewed in the background from here on; used until it is over. */
const RENEW_AHEAD_MS = 5 * 60_000;
const USELESS_MS = 5_000;

/** One bearer token, renewed ahead of its expiry; concurrent requests share one renewal. */
export class TokenCache {
  readonly #renew: () => Promise<Token>;
  #token: Token | null = null;
  #renewing: Promise<Token> | null = null;

  constructor(renew: () => Promise<Token>) {
    this.#renew = renew;
  }

  get(now: number): string | Promise<string> {
    const left = (this.#token?.expiresAt ?? 0) - now;
    if (this.#token !== null && left > USELESS_MS) {
      // A failed early renewal is no fault yet: the next request tries again.
      if (left < RENEW_AHEAD_MS) this.#shared().catch(() => undefined);
      return this.#token.value;
    }
    return this.#shared().then(({ value }) => value);
  }

  #shared(): Promise<Token> {
    this.#renewing ??= this.#renew()
      .then((token) => {
        this.#token = token;
        return token;
      })
      .finally(() => {
        this.#renewing = null;
      });
    return this.#renewing;
  }
}
