export { BATCH_QUEUE, type BatchJob, BatchJobs, LINE_QUEUE, type LineJob } from './batch-jobs.ts';
export { batchObject } from './batch-object.ts';
export { BatchStore, type Commit, type Idempotency, type ShardClaim, type StoredLine } from './batch-store.ts';
export {
  BATCH_ENDPOINTS,
  type Batch,
  type BatchDraft,
  type BatchEndpoint,
  type BatchProblem,
  type BatchStatus,
  type BatchUsage,
  isEnded,
  type LineResult,
  NO_USAGE,
  type Shard,
} from './contract.ts';
export { type InputLine, inputLines } from './input-lines.ts';
export { countInputs, isProblem, type LineRequest, readLine } from './line-request.ts';
export { answeredLine, type LineAnswer, type LineIds, lineIds, type Unrun, unrunLine } from './output-line.ts';
export { areProblems, type BatchCaps, type ShardSize, validate } from './validation.ts';
