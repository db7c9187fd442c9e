export { ChunkWorkers, type ChunkWorkersOptions } from './chunk-workers.ts';
export type { ChunkHandler, ChunkWork } from './contract.ts';
export { chunkHandler } from './run-job.ts';
