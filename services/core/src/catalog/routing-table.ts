import type { BatchPolicy } from './batch-policy.ts';
import type { EmbeddingPolicy } from './embedding-policy.ts';
import type { FilePolicy } from './file-policy.ts';
import type { LimitPolicy, OidcIssuerEntry } from './limit-policy.ts';

/** A routing snapshot as the data plane uses it: looked up by id, defaults resolved, credentials opened. Immutable; swapped as a whole. */
export interface RoutingTable {
  /** Rises with every published change; what `/health/ready` and the metrics report. */
  readonly version: number;
  readonly digest: string;
  readonly simulated: boolean;
  readonly server: ServerPolicy;
  readonly allowPrivateFileUrls: boolean;
  readonly health: HealthPolicy;
  readonly limits: LimitPolicy;
  readonly oidc: readonly OidcIssuerEntry[];
  readonly batches: BatchPolicy;
  readonly embeddings: EmbeddingPolicy;
  readonly files: FilePolicy;
  readonly providers: ReadonlyMap<string, ProviderEntry>;
  /** By public id, `creator/name`. */
  readonly models: ReadonlyMap<string, ModelEntry>;
}

export interface ServerPolicy {
  readonly maxBodyBytes: number;
  readonly requestTimeoutMs: number;
  /** Silence after which a stream gets an SSE comment; 0 sends none. */
  readonly keepAliveCommentMs: number;
  /** `['*']` allows every origin, `[]` none. */
  readonly corsOrigins: readonly string[];
  /** What becomes of an answer whose client has left. */
  readonly drainAborted: DrainPolicy;
}

/** Whether, and for how long, a provider is listened to when its client has left. */
export interface DrainPolicy {
  /** `billed`: where the answer is billed to its end anyway; `always`: also where hanging up would save the rest. */
  readonly when: 'billed' | 'always' | 'never';
  readonly maxMs: number;
  /** At one time in one process; the others are estimated. */
  readonly maxConcurrent: number;
}

/** When an endpoint counts as broken, and how it comes back; durations in milliseconds. */
export interface HealthPolicy {
  readonly breaker: BreakerPolicy;
  readonly probes: { readonly enabled: boolean; readonly intervalMs: number; readonly timeoutMs: number };
}

export interface BreakerPolicy {
  /** So many failures in a row open it. */
  readonly consecutiveFailures: number;
  /** So large a share of failures opens it, once `minimumRequests` were counted; one that is `windowMs` old counts half. */
  readonly failureRatio: number;
  readonly minimumRequests: number;
  readonly windowMs: number;
  /** How long it stays open the first time; doubles with every further failure up to `maxCooldownMs`. */
  readonly cooldownMs: number;
  readonly maxCooldownMs: number;
}

export interface ProviderEntry {
  readonly name: string;
  readonly dialect: string;
  /** Without a trailing slash. */
  readonly baseUrl: string;
  /** Opened; never log, never put into an error. */
  readonly credentials: Readonly<Record<string, string>>;
  readonly settings: Readonly<Record<string, string>>;
  readonly zeroDataRetention: boolean;
  readonly noPromptTraining: boolean;
  /** How long it keeps a prompt cached, milliseconds; 0: it keeps none. */
  readonly promptCacheMs: number;
}

export interface ModelEntry {
  readonly id: string;
  readonly type: 'chat' | 'embedding';
  readonly contextWindow: number;
  readonly maxOutputTokens: number;
  readonly name: string;
  readonly description: string;
  /** Seconds since the epoch; 0 when unknown. */
  readonly created: number;
  /** Empty where nothing is known; then nothing is ruled out. */
  readonly inputModalities: readonly string[];
  readonly outputModalities: readonly string[];
  readonly tags: readonly string[];
  readonly supportedParameters: readonly string[];
  /** The `/v1/models` entry (WIRE 2.6), as JSON text made once per snapshot. */
  readonly cardJson: string;
  /** In default order; never empty. */
  readonly endpoints: readonly EndpointEntry[];
}

export interface EndpointEntry {
  /** `provider:model`, unique within a model; names the endpoint in metadata, metrics and health. */
  readonly key: string;
  readonly provider: ProviderEntry;
  /** The provider's own model id. */
  readonly model: string;
  readonly publisher: string;
  readonly timeouts: EndpointTimeouts;
  readonly pricing: EndpointPricing | null;
  /** Neighbours that have a weight share the load by it; null: its place in the list decides. */
  readonly weight: number | null;
  /** Tokens; 0 where unknown. */
  readonly contextWindow: number;
  readonly maxOutputTokens: number;
  /** '' when unknown. */
  readonly quantization: string;
}

/** Milliseconds, all resolved: endpoint over provider over snapshot. */
export interface EndpointTimeouts {
  readonly connectMs: number;
  readonly firstTokenMs: number;
  readonly streamStallMs: number;
}

/** Decimal strings, US dollars per token; null where unknown. */
export interface EndpointPricing {
  readonly input: string | null;
  readonly output: string | null;
  readonly inputCacheRead: string | null;
  readonly inputCacheWrite: string | null;
}
