import type { FailureClass } from '../errors/index.ts';

/** What became of one attempt with the gateway's own credential. Attempts with a caller's credential are not told. */
export interface AttemptOutcome {
  /** `provider:model`. */
  readonly endpointKey: string;
  readonly provider: string;
  /** Null: it answered. Refusals that the caller is to blame for (`bad_request`, `context_length`, `content_filter`) count as answers. */
  readonly failure: FailureClass | null;
  /** How long the provider asked to be left alone; undefined when it did not say. */
  readonly retryAfterMs: number | undefined;
  /** Status of the provider; null when there was none. */
  readonly status: number | null;
  /** `performance.now()` at which the attempt began: one that is older than the breaker's opening proves nothing. */
  readonly startedAt: number;
  /** Milliseconds to the first token; null when there was none. */
  readonly ttftMs: number | null;
  /** Output tokens per second behind the first; null where it cannot be told. */
  readonly tokensPerSecond: number | null;
}

/** Where the relay tells what it saw. Calls return at once and never throw. */
export interface HealthReporter {
  /** An attempt begins: counts as in flight until `ended`. True: it is on trial, and `answering` wants to be told. */
  began(endpointKey: string): boolean;
  /**
   * The first content of an attempt on trial has come: its endpoint is back, and nobody else need wait for the end of a long
   * answer to use it. What breaks the answer later counts as a failure like any other. `startedAt` as in its outcome.
   */
  answering(endpointKey: string, startedAt: number): void;
  /** The client left, or nothing can be told of the endpoint: only `inFlight` changes. */
  abandoned(endpointKey: string): void;
  ended(outcome: AttemptOutcome): void;
}
