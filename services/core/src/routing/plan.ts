import type { EndpointEntry, ModelEntry } from '../catalog/index.ts';

export interface PlannedAttempt {
  readonly model: ModelEntry;
  /** As in the catalog; with a caller's own credential, a copy that has that credential, its settings and its model id. */
  readonly endpoint: EndpointEntry;
  readonly credentialType: 'system' | 'byok';
  /** `endpoint.timeouts.firstTokenMs` was asked for by the client: it binds also where nothing else is left to try. */
  readonly firstTokenBinds: boolean;
  /** Why it stands where it stands, for people. */
  readonly reason: string;
}

/** An endpoint that will not be tried, and what ruled it out: the option's name or `capability`. */
export interface RemovedEndpoint {
  readonly model: string;
  readonly endpointKey: string;
  readonly by: string;
  readonly detail: string;
}

/** As `provider_metadata.gateway.routing.sort` shows it (WIRE 2.5). */
export interface SortRecord {
  readonly option: 'cost' | 'ttft' | 'tps';
  /** Providers. */
  readonly executionOrder: readonly string[];
  /** US dollars per million tokens, seconds, or tokens per second, by provider; of those that are known. */
  readonly metrics: Readonly<Record<string, number>>;
  /** Providers that would have come earlier but for their health. */
  readonly deprioritized: readonly string[];
}

/** Plans and their attempts are shared between requests that get the same plan: what is made of one may be kept by its identity. */
export interface Plan {
  /** Never empty. */
  readonly attempts: readonly PlannedAttempt[];
  /** The endpoints' keys, in the same order. */
  readonly keys: readonly string[];
  readonly removed: readonly RemovedEndpoint[];
  /** Null without `sort`. */
  readonly sort: SortRecord | null;
  /** Whether the endpoint that has the prompt cached comes first because of that; null: affinity had no say. */
  readonly affinity: 'hit' | 'miss' | null;
  /**
   * Keys of half-open endpoints that will be asked before any that is well: whoever runs the plan takes their permits.
   * One behind a well endpoint is not named: it is hardly ever reached, and its permit would be lost.
   */
  readonly permits: readonly string[];
  /**
   * Keys of endpoints that would be asked before any that is well, were they not open; their open period is over, so
   * fetching their permits brings them back.
   */
  readonly wanted: readonly string[];
  /** Options that were given and have no effect. */
  readonly warnings: readonly string[];
  /** For people: which endpoints were considered and why in this order. */
  readonly reasoning: string;
}
