import type { GatewayError } from '../errors/index.ts';
import type { PlannedAttempt } from '../routing/index.ts';
import type { TokenUsage } from '../telemetry/index.ts';
import type { Accounted, BilledAttempt } from './account.ts';

/** Where the time of a request went until its headers were sent; milliseconds, for `server-timing`. */
export interface Timing {
  /** Our own: no attempt was open, and nothing was waited for on purpose. */
  readonly gatewayMs: number;
  /** Some attempt was open. */
  readonly upstreamMs: number;
  /** Pauses before a second try. */
  readonly waitMs: number;
  readonly attempts: number;
}

/** Where the relay sends its answer. None of these may throw; after the client has gone they do nothing. */
export interface RelaySink {
  /** Status line and headers of a stream; they go out with the first bytes, which follow at once. `provider` is null while none has answered. */
  openStream(provider: string | null, timing: Timing): void;
  /** False asks to wait: the relay pauses the provider until `Relay.clientDrained`. The bytes are copied. */
  write(bytes: Buffer): boolean;
  /** The last bytes and the end, in one send. */
  endStream(last: Buffer): void;
  /** A whole JSON answer. */
  answer(body: Buffer, provider: string, timing: Timing): void;
  /** A JSON error, before anything has been sent. */
  refuse(error: GatewayError, timing: Timing): void;
}

/** How a request ended; told once. Times are `performance.now()`. */
export interface RelayOutcome {
  readonly error: GatewayError | null;
  readonly clientAborted: boolean;
  /** Provider and public model that answered, or failed last. */
  readonly provider: string | null;
  readonly model: string | null;
  /** That attempt, as it was planned. */
  readonly last: PlannedAttempt | null;
  readonly attempts: number;
  /** Of the whole request: milliseconds in which no attempt was open and nothing was waited for on purpose. */
  readonly gatewayMs: number;
  readonly firstContentAt: number | null;
  /** When the client had its answer, or had gone. What was used may have been found out later. */
  readonly endedAt: number;
  /** Of the answer as the client has it, whole; null where it has none, or only a part. */
  readonly usage: TokenUsage | null;
  /** Of the first choice; null where the client has no whole answer. */
  readonly finishReason: string | null;
  /** All attempts that cost something: also such as broke, or went on without their client. */
  readonly billed: readonly BilledAttempt[];
  /** Their sum: what is accounted. */
  readonly accounted: Accounted | null;
  /** A broken stream was taken up by another attempt. */
  readonly resumed: boolean;
}
