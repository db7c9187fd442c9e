/** A routing snapshot as the data plane uses it: looked up by id, defaults resolved, credentials opened. Immutable; swapped as a whole. */
export interface RoutingTable {
  /** Rises with every published change; what `/health/ready` and the metrics report. */
  readonly version: number;
  readonly digest: string;
  readonly simulated: boolean;
  readonly server: ServerPolicy;
  readonly allowPrivateFileUrls: boolean;
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
}

export interface ModelEntry {
  readonly id: string;
  readonly type: 'chat' | 'embedding';
  readonly contextWindow: number;
  readonly maxOutputTokens: number;
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
