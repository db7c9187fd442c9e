/** A request that has been encoded and lacks only its credential. */
export interface Unauthorized {
  readonly url: string;
  /** Flat name, value list. */
  readonly headers: readonly string[];
  readonly body: Buffer;
}

/**
 * Adds a provider's credential. Answers at once while what it holds is fresh, which is nearly always: credentials are
 * renewed ahead of expiry, never per request. Rejects with a GatewayError of class `auth`.
 */
export interface Authorizer {
  authorize(request: Unauthorized): readonly string[] | Promise<readonly string[]>;
}
