export { BatchWorkers, type BatchWorkersOptions } from './batch-workers.ts';
export type { LineOutcome, RunLine } from './shard-run.ts';
