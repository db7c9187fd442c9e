import type { MessageInitShape } from '@bufbuild/protobuf';
import type { EmbeddingSettings, EmbeddingSettingsSchema } from '@headgate/proto/snapshot';
import type { Config } from '../config/index.ts';

export interface EmbeddingPolicy {
  /** Of one request. */
  readonly maxItems: number;
  readonly queue: EmbeddingQueuePolicy;
  /** Small requests of one key that come at nearly one time share a call; `waitMs` 0: they do not. */
  readonly microBatch: { readonly waitMs: number; readonly maxItems: number };
}

/** How large requests are worked off by embedders, a call to a provider (a chunk) a job. */
export interface EmbeddingQueuePolicy {
  /** Requests of fewer chunks are answered without the queue. */
  readonly minChunks: number;
  /** Chunks that one process waits for at one time. */
  readonly maxWaiting: number;
  /** How long a result waits to be fetched. */
  readonly resultMs: number;
  readonly attempts: number;
  /** Chunks at one time, of one embedder and provider. */
  readonly concurrency: number;
}

/** An older control says nothing of embeddings: what stands in the schema as default holds. */
export const DEFAULT_EMBEDDINGS: EmbeddingPolicy = {
  maxItems: 10_000,
  queue: { minChunks: 2, maxWaiting: 10_000, resultMs: 120_000, attempts: 6, concurrency: 16 },
  microBatch: { waitMs: 0, maxItems: 64 },
};

/** The `embeddings` section of headgate.yaml, for the snapshot. */
export const embeddingSettings = ({ embeddings }: Config): MessageInitShape<typeof EmbeddingSettingsSchema> =>
  embeddings;

export function embeddingPolicy(settings: EmbeddingSettings | undefined): EmbeddingPolicy {
  if (settings?.queue === undefined) return DEFAULT_EMBEDDINGS;
  const { queue, maxItems, microBatch = DEFAULT_EMBEDDINGS.microBatch } = settings;
  const { minChunks, maxWaiting, resultMs, attempts, concurrency } = queue;
  return {
    maxItems: maxItems || DEFAULT_EMBEDDINGS.maxItems,
    queue: { minChunks, maxWaiting, resultMs, attempts, concurrency },
    microBatch: { waitMs: microBatch.waitMs, maxItems: microBatch.maxItems },
  };
}
