import type { OpenRequests } from './concurrency.ts';

/** How the simulator is doing. */
export interface SimulatorStats {
  readonly openConnections: number;
  /** Requests whose answer has not ended. */
  readonly openRequests: number;
  /** Streams among them. */
  readonly openStreams: number;
  /** Requests at once, by model without directives. */
  readonly byModel: Readonly<Record<string, OpenRequests>>;
  readonly totals: {
    readonly connections: number;
    readonly requests: number;
    readonly complete: number;
    readonly aborted: number;
    readonly broken: number;
    readonly tokensSent: number;
    readonly bytesSent: number;
  };
  /** The most bytes that ever waited in one socket's buffer since the start. */
  readonly maxQueuedBytes: number;
}
