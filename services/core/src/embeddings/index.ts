export type {
  AdmitCall,
  AttemptFacts,
  ChunkCall,
  ChunkHead,
  ChunkOutcome,
  ChunkTools,
  EmbeddingRequestHead,
  EmbeddingRunner,
} from './contract.ts';
export { emptyHead, GIVEN_UP, InlineRunner } from './inline-runner.ts';
export { tokensOfItems } from './items.ts';
export { MicroBatcher, type MicroBatchPolicy } from './micro-batch.ts';
export { probeEmbedding } from './probe-embedding.ts';
export { type EmbeddingRequest, readEmbeddingRequest } from './request.ts';
export { runChunk } from './run-chunk.ts';
export { type EmbeddingsOutcome, type EmbeddingsRun, runEmbeddings } from './run-request.ts';
export { splitItems } from './split.ts';
