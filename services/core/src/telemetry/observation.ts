/**
 * What one request tells telemetry. The relay and the ingress call these; spans, metrics and the log line are made from
 * them, so that no other room knows OpenTelemetry. Times are `performance.now()` milliseconds.
 */
export interface RequestStart {
  readonly method: string;
  /** Route template such as `/v1/chat/completions`, never a raw path. */
  readonly route: string;
  /** Raw path without the query, for `url.path`; default the route. */
  readonly path?: string;
  /** Default `http`. */
  readonly scheme?: string;
  readonly requestId: string;
  readonly generationId: string | null;
  readonly traceparent: string;
  readonly tracestate: string;
  readonly startedAt: number;
}

/** Work that a request has queued, as the process that does it takes it up: a span of its own, linked to the request's. */
export interface JobStart {
  /** Name of the queue. */
  readonly queue: string;
  readonly jobId: string;
  readonly generationId: string;
  /** Of the request; empty without tracing. */
  readonly traceparent: string;
  readonly tracestate: string;
  readonly startedAt: number;
}

export interface RouteInfo {
  readonly operation: 'chat' | 'embeddings';
  /** Public model id that was asked for. */
  readonly model: string;
  readonly stream: boolean;
  readonly keyName: string;
  /** Endpoint keys in the order they will be tried. */
  readonly plan: readonly string[];
  /** The parsed request body, for `gen_ai.request.*`; read only when a span is recorded. */
  readonly body: Readonly<Record<string, unknown>>;
}

export interface AttemptStart {
  /** 1-based. */
  readonly number: number;
  readonly provider: string;
  readonly dialect: string;
  /** The provider's own model id. */
  readonly providerModel: string;
  /** Public model id. */
  readonly model: string;
  /** Origin of the provider, `https://host:port`. */
  readonly origin: string;
}

export interface TokenUsage {
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly cacheReadTokens: number | null;
  readonly cacheWriteTokens: number | null;
  readonly reasoningTokens: number | null;
}

export interface AttemptEnd {
  readonly endedAt: number;
  /** The provider's status; null when there was no answer. */
  readonly status: number | null;
  /** Failure class or error type; null on success. */
  readonly errorType: string | null;
  readonly firstChunkAt: number | null;
  readonly usage: TokenUsage | null;
  readonly responseId: string | null;
  readonly responseModel: string | null;
  readonly finishReasons: readonly string[];
}

export interface RequestEnd {
  readonly endedAt: number;
  /** Status sent to the client; 499 when it left before one was sent. */
  readonly status: number;
  readonly errorType: string | null;
  readonly clientAborted: boolean;
  /** When the first content byte went to the client; null if none did. */
  readonly firstByteAt: number | null;
  readonly provider: string | null;
  readonly model: string | null;
  readonly attempts: number;
  /** A broken stream was taken up by another attempt, and that one answered; default false. */
  readonly resumed?: boolean;
  readonly usage: TokenUsage | null;
  readonly costUsd: string | null;
  readonly keyName: string | null;
  /** Whom metrics account it to; a label, so never one of many: the key's name, of OIDC subjects their group. Default: nobody. */
  readonly payer?: string;
  /** Milliseconds spent in the gateway itself; default: the part of the request during which no attempt was open. */
  readonly overheadMs?: number | null;
}

/** The provider said so at the end of the answer; or it was listened to behind the client's back until it did; or it was counted. */
export type UsageSource = 'provider' | 'drained' | 'estimated';

export interface AttemptObservation {
  /**
   * `traceparent` to send to the provider. With tracing off it is the client's own, unchanged, or empty when there was
   * none: send no header then.
   */
  readonly traceparent: string;
  /** `tracestate` to send along with it; empty: send none. */
  readonly tracestate: string;
  ended(end: AttemptEnd): void;
  /** What it used, where that was found out after it had ended without saying so. */
  used(usage: TokenUsage, source: UsageSource): void;
}

export interface RequestObservation {
  /** Ids for log lines; empty when no trace is known. */
  readonly traceId: string;
  readonly spanId: string;
  /** W3C Trace Context for work that is queued on its behalf; empty when no trace is known. */
  readonly traceparent: string;
  readonly tracestate: string;
  routed(route: RouteInfo): void;
  attempt(start: AttemptStart): AttemptObservation;
  /** The client has its answer, or has gone; what was used may still be found out before `ended`. */
  answered(): void;
  ended(end: RequestEnd): void;
}
