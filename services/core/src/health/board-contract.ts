import type { BreakerPolicy } from '../catalog/index.ts';
import type { AttemptOutcome } from './contract.ts';

/** One call a log line; a change of state is told once. */
export interface HealthLog {
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
}

export interface HealthBoardOptions {
  readonly redisUrl: string;
  readonly prefix: string;
  readonly log: HealthLog;
  /** Name of the connections in Redis; default headgate-health. */
  readonly name?: string;
  /** Asked with every event: a new snapshot's policy counts from the next one on. */
  readonly policy: () => BreakerPolicy;
  /** Keys of the endpoints that are configured; asked now and then, to forget others. */
  readonly known?: () => Iterable<string>;
  /** How often lost messages are looked for; default 1000. */
  readonly pollMs?: number;
  /** How often successes and measurements are written; default 1000. */
  readonly flushMs?: number;
}

/** The right to try an endpoint whose breaker is open; one over all replicas. It runs out by itself. */
export interface ProbePermit {
  readonly endpointKey: string;
  /** Fences the report: one that comes after the permit has run out and another was given changes nothing. */
  readonly id: number;
  /** The opening that the probe is to end. */
  readonly epoch: number;
  /** Epoch milliseconds by the clock of Redis. */
  readonly until: number;
}

/** How an active probe went; as in AttemptOutcome. */
export type ProbeOutcome = Pick<AttemptOutcome, 'failure' | 'retryAfterMs' | 'status'>;

/** An endpoint whose breaker is open; times are epoch milliseconds by the clock of Redis. */
export interface OpenEndpoint {
  readonly endpointKey: string;
  readonly openedAt: number;
  /** From then on a permit can be had. */
  readonly openUntil: number;
  /** Whether somebody holds the permit now. */
  readonly probing: boolean;
}

export interface EndpointDescription {
  readonly endpointKey: string;
  readonly provider: string;
  /** Of all replicas: `half_open` while anybody holds the permit. */
  readonly breaker: 'closed' | 'open' | 'half_open';
  /** Epoch milliseconds; 0: not cooling. */
  readonly coolUntil: number;
  readonly ttftMs: number | null;
  readonly tokensPerSecond: number | null;
  readonly successRate: number | null;
  /** Requests of this process. */
  readonly inFlight: number;
}

/** Share that went well, 0 to 1; null: nothing happened in that time. */
export interface Uptime {
  readonly last15m: number | null;
  readonly last1h: number | null;
  readonly last1d: number | null;
}

export interface Quantiles {
  readonly p50: number;
  readonly p95: number;
}

/** WIRE 2.6. Attempts that failed through the caller's fault and those with a caller's credential do not count. */
export interface EndpointStatistics {
  readonly uptime: Uptime;
  /** Milliseconds to the first token, over the last hour; null: none was measured. */
  readonly latencyLast1h: Quantiles | null;
  /** Tokens per second behind the first, over the last hour. */
  readonly throughputLast1h: Quantiles | null;
}
