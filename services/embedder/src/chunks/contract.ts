import type { CounterSeries, Family, HistogramSeries } from '@headgate/core/telemetry';
import type { EmbeddingJob, EmbeddingOutcome } from '@headgate/proto/embedding_job';

/** What came of one try of a chunk. */
export interface ChunkWork {
  /** With `failure`: whether it is tried again follows from its class. */
  readonly outcome: EmbeddingOutcome;
  /** Entries of the answer; empty for a failure. */
  readonly data: Buffer;
}

/** Runs a chunk over the endpoints of its plan. The signal: nobody waits for it any more, or the embedder stops. */
export type ChunkHandler = (job: EmbeddingJob, signal: AbortSignal) => Promise<ChunkWork>;

export interface ChunkMetrics {
  readonly duration: Family<HistogramSeries>;
  readonly retries: Family<CounterSeries>;
}
