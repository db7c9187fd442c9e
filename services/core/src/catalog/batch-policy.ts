import type { MessageInitShape } from '@bufbuild/protobuf';
import type { BatchSettings, BatchSettingsSchema } from '@headgate/proto/snapshot';
import type { Config } from '../config/index.ts';

/** What the Batch API takes, and how fast it works. */
export interface BatchPolicy {
  readonly maxRequests: number;
  /** Of all requests of one batch together. */
  readonly maxEmbeddingInputs: number;
  readonly maxLineBytes: number;
  /** Batches of one principal that have not ended. */
  readonly maxOpenPerKey: number;
  /** Requests at one time, of one embedder. */
  readonly concurrency: number;
}

/** An older control says nothing of batches: what stands in the schema as default holds. */
export const DEFAULT_BATCHES: BatchPolicy = {
  maxRequests: 50_000,
  maxEmbeddingInputs: 50_000,
  maxLineBytes: 5_242_880,
  maxOpenPerKey: 100,
  concurrency: 32,
};

/** The `batches` section of headgate.yaml, for the snapshot. */
export const batchSettings = ({ batches }: Config): MessageInitShape<typeof BatchSettingsSchema> => batches;

export function batchPolicy(settings: BatchSettings | undefined): BatchPolicy {
  if (settings === undefined) return DEFAULT_BATCHES;
  const { maxRequests, maxEmbeddingInputs, maxLineBytes, maxOpenPerKey, concurrency } = settings;
  return { maxRequests, maxEmbeddingInputs, maxLineBytes, maxOpenPerKey, concurrency };
}
