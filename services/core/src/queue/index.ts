export { type ChunkState, ChunkStore, type StoredResult } from './chunk-store.ts';
