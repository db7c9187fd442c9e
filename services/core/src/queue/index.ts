export {
  type ChunkDraft,
  type ChunkEnd,
  ChunkQueue,
  type ChunkQueueOptions,
  type ChunkRequest,
  type ChunkResult,
} from './chunk-queue.ts';
export { type ChunkState, ChunkStore, type StoredResult } from './chunk-store.ts';
export { countEmbedders, DEAD_AFTER_MS, Heartbeat } from './embedders.ts';
export { itemsOf, outcomeMessage, planOf, requestOf } from './job-messages.ts';
export { longestBackoffMs, ProviderQueues, queueName } from './provider-queues.ts';
export { QueuedEmbeddings } from './queued-embeddings.ts';
