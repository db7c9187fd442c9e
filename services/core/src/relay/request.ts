import type { DrainPolicy } from '../catalog/index.ts';
import type { ChatRequest } from '../chat/index.ts';
import type { GatewayError } from '../errors/index.ts';
import type { HealthReporter } from '../health/index.ts';
import type { Plan, PlannedAttempt } from '../routing/index.ts';
import type { RequestObservation } from '../telemetry/index.ts';
import type { Authorizers, UpstreamPools } from '../upstream/index.ts';
import type { LateUsage } from './late-usage.ts';
import type { RelayOutcome } from './sink.ts';

/** All that the relay needs to know of one request. */
export interface RelayRequest {
  readonly chat: ChatRequest;
  readonly plan: Plan;
  /** Public model id as the client gave it. */
  readonly requestedModel: string;
  readonly generationId: string;
  /** Seconds since the epoch. */
  readonly created: number;
  /** When the request came, `performance.now()`. */
  readonly startedAt: number;
  /** Within this the answer must be complete. */
  readonly timeoutMs: number;
  /** Within this it must have begun: the SDKs' own timeout ends where a stream's headers arrive. At most `timeoutMs`. */
  readonly answerWithinMs: number;
  /** Silence after which a stream gets a comment; 0 sends none. */
  readonly keepAliveMs: number;
  /** What may be done when a stream breaks behind its first content: nothing, only what is sure to fit, or whatever can be tried. */
  readonly resume: 'off' | 'safe' | 'always';
  readonly metadataAtTop: boolean;
  readonly simulated: boolean;
  readonly pools: UpstreamPools;
  readonly authorizers: Authorizers;
  readonly allowPrivateFileUrls: boolean;
  readonly health: HealthReporter;
  /**
   * Asked before each attempt with the gateway's own credential: whether the limits of its provider have room for it. Null: it
   * has none. An error of class `rate_limited` moves on to the next endpoint.
   */
  readonly admitAttempt?: AdmitAttempt | undefined;
  readonly observation: RequestObservation;
  /** One for all requests of the process. */
  readonly lateUsage: LateUsage;
  /** What becomes of an attempt whose client has left. */
  readonly drainAborted: DrainPolicy;
  /** Called once, when the client has its answer, or has gone; at the latest right before `onSettled`. */
  readonly onAnswered?: () => void;
  /** Called once, when nothing more will be sent or received, and all is known of what was used. */
  readonly onSettled: (outcome: RelayOutcome) => void;
}

export type AdmitAttempt = (
  planned: PlannedAttempt,
) => AttemptAdmission | GatewayError | null | Promise<AttemptAdmission | GatewayError | null>;

/** What an attempt was let in with; told once how it ended. */
export interface AttemptAdmission {
  /** `tokens` are those it used, 0 when it failed. */
  settle(tokens: number): void;
}
