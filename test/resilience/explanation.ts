/** What `POST /v1/route/explain` answers, as far as tests read it. */
export interface Explanation {
  readonly object: string;
  readonly originalModelId: string;
  readonly models: readonly string[];
  readonly seed: number;
  readonly attempts: readonly ExplainedAttempt[];
  readonly removed: readonly {
    readonly modelId: string;
    readonly internalModelId: string;
    readonly by: string;
    readonly detail: string;
  }[];
  readonly warnings: readonly string[];
  readonly sort: { readonly option: string; readonly executionOrder: readonly string[] } | null;
  readonly affinity: {
    readonly prefix: number;
    readonly cachedAt: string | null;
    readonly outcome: 'hit' | 'miss' | null;
  } | null;
  readonly planningReasoning: string;
  readonly features: Readonly<Record<string, unknown>>;
  readonly options: Readonly<Record<string, unknown>>;
}

export interface ExplainedAttempt {
  readonly position: number;
  readonly modelId: string;
  readonly provider: string;
  readonly providerApiModelId: string;
  readonly internalModelId: string;
  readonly credentialType: 'system' | 'byok';
  readonly reason: string;
  readonly health: {
    readonly breaker: 'closed' | 'open' | 'half_open';
    readonly probeDue: boolean;
    readonly coolUntil: number | null;
    readonly successRate: number | null;
    readonly ttftMs: number | null;
    readonly tokensPerSecond: number | null;
    readonly inFlight: number;
  };
  readonly pricing: { readonly input: string | null; readonly output: string | null };
  readonly estimatedCost: Readonly<Record<'promptTokens' | 'outputTokens' | 'input' | 'output' | 'total', unknown>>;
}

export const providersOf = ({ attempts }: Explanation): string[] => attempts.map(({ provider }) => provider);
