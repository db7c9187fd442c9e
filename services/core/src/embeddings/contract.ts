import type { EmbeddingFormat, EmbeddingItem } from '../dialects/index.ts';
import type { GatewayError } from '../errors/index.ts';
import type { HealthReporter } from '../health/index.ts';
import type { AttemptAdmission } from '../relay/index.ts';
import type { Plan, PlannedAttempt } from '../routing/index.ts';
import type { Logger, RequestObservation, UsageSource } from '../telemetry/index.ts';
import type { Authorizers, UpstreamPools } from '../upstream/index.ts';

/** What holds for all items of a request; plain JSON data. */
export interface EmbeddingRequestHead {
  /** As the client asked for it. */
  readonly model: string;
  /** Null: the model's own number. */
  readonly dimensions: number | null;
  readonly format: EmbeddingFormat;
  /** '' for none. */
  readonly user: string;
  /** Further top-level fields of the client's request, for the provider. */
  readonly extra: Readonly<Record<string, unknown>>;
  /** `providerOptions` by provider, without the gateway's own. */
  readonly providerOptions: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/** A part of a request's items, to be embedded by one model. */
export interface ChunkCall {
  /** Never empty. */
  readonly items: readonly EmbeddingItem[];
  /** Place of the first item in the request. */
  readonly from: number;
  readonly request: EmbeddingRequestHead;
  /** Attempts of one model: one request never mixes the vectors of two. */
  readonly plan: Plan;
  /** `performance.now()`. */
  readonly deadlineAt: number;
  /** Ends all calls at once. */
  readonly signal: AbortSignal;
  readonly observation: RequestObservation;
  readonly generationId: string;
  /** Refuse what a provider would drop or alter; absent: false. Such a request is not queued. */
  readonly strict?: boolean;
}

/** What a process has at hand to run chunks. */
export interface ChunkTools {
  readonly pools: UpstreamPools;
  readonly authorizers: Authorizers;
  readonly health: HealthReporter;
  /**
   * Asked before each call with the gateway's own credential, with the tokens that it is expected to use: whether the limits of
   * its provider have room for it. As `RelayRequest.admitAttempt`.
   */
  readonly admitAttempt?: AdmitCall;
  /** Where only waiting for a rate limit is left, that error is the outcome at once: who asked waits elsewhere. Default: it waits. */
  readonly returnsWhenLimited?: boolean;
  readonly log: Logger;
}

type Verdict = AttemptAdmission | GatewayError | null;
export type AdmitCall = (planned: PlannedAttempt, tokens: number) => Verdict | Promise<Verdict>;

/** One attempt as `providerMetadata.gateway.routing.attempts` shows it (WIRE 2.5); plain JSON data. Times are epoch milliseconds. */
export interface AttemptFacts {
  readonly provider: string;
  readonly internalModelId: string;
  readonly providerApiModelId: string;
  readonly credentialType: 'system' | 'byok';
  readonly success: boolean;
  readonly error?: string;
  readonly statusCode?: number;
  readonly startTime: number;
  readonly endTime: number;
  readonly providerTimeout?: true;
  readonly configuredTimeoutMs?: number;
}

/** What is told of a chunk beside its bytes; plain JSON data. */
export interface ChunkHead {
  readonly items: number;
  /** Of all calls that were answered, also where the chunk failed in the end. */
  readonly promptTokens: number;
  readonly usageSource: Extract<UsageSource, 'provider' | 'estimated'>;
  /** Decimal, US dollars; null where a price is unknown. Calls with a caller's own credential cost the gateway nothing. */
  readonly costUsd: string | null;
  /** The same, whoever pays it. */
  readonly marketCostUsd: string | null;
  /** That answered, or failed last; '' where none was tried. */
  readonly provider: string;
  /** Its own model id. */
  readonly providerModel: string;
  readonly attempts: readonly AttemptFacts[];
  readonly warnings: readonly string[];
}

/** How a chunk ended. Exactly one of `data` and `error` is null. */
export interface ChunkOutcome {
  /** Entries of the answer's `data` with the places they have in the request, joined by commas. */
  readonly data: Buffer | null;
  readonly error: GatewayError | null;
  readonly head: ChunkHead;
}

/** Where chunks are run: in this process, or by embedders through a queue. */
export interface EmbeddingRunner {
  /** One outcome a chunk, in their order; never rejects. After one has failed, the others may be given up. */
  run(chunks: readonly ChunkCall[], tools: ChunkTools): Promise<readonly ChunkOutcome[]>;
}
