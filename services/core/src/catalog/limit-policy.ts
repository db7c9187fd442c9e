/** Null: no limit of that kind. */
export interface Limits {
  readonly requestsPerMinute: number | null;
  readonly tokensPerMinute: number | null;
  readonly requestsPerDay: number | null;
  readonly tokensPerDay: number | null;
  /** Requests in flight at one time. */
  readonly concurrency: number | null;
}

export interface BudgetPolicy {
  /** Decimal string, US dollars. */
  readonly usd: string;
  /** Calendar windows of UTC; a week begins on Monday. */
  readonly window: 'day' | 'week' | 'month' | 'total';
  /** `hard` refuses, `soft` warns, `shadow` only records. */
  readonly mode: 'hard' | 'soft' | 'shadow';
}

/** Limits beside those of the keys themselves. */
export interface LimitPolicy {
  readonly onRedisLoss: 'allow' | 'deny';
  readonly groups: ReadonlyMap<string, { readonly limits: Limits; readonly budget: BudgetPolicy | null }>;
  /** Of each end user of a key. */
  readonly users: Limits | null;
  /** The first pattern that matches holds. */
  readonly models: readonly { readonly pattern: string; readonly limits: Limits }[];
  readonly providers: ReadonlyMap<string, Limits>;
}

export interface OidcIssuerEntry {
  readonly issuer: string;
  readonly audience: string;
  readonly subjectClaim: string;
  /** '' where there is none. */
  readonly nameClaim: string;
  readonly groupClaim: string;
  readonly modelsClaim: string;
  /** Patterns; empty allows all. */
  readonly models: readonly string[];
  /** Never empty. */
  readonly algorithms: readonly string[];
  /** '': asked of the issuer. */
  readonly jwksUri: string;
  readonly clockToleranceSeconds: number;
  readonly limits: Limits;
  readonly budget: BudgetPolicy | null;
}
