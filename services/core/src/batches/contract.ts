/**
 * Batches of requests as OpenAI's Batch API has them (WIRE 2.14;
 * https://platform.openai.com/docs/api-reference/batch). What is said of one here stands in Redis; no process
 * remembers anything of it.
 */

/** What a batch may ask for. */
export const BATCH_ENDPOINTS = ['/v1/chat/completions', '/v1/embeddings'] as const;

export type BatchEndpoint = (typeof BATCH_ENDPOINTS)[number];

export const BATCH_STATUSES = [
  'validating',
  'failed',
  'in_progress',
  'finalizing',
  'completed',
  'expired',
  'cancelling',
  'cancelled',
] as const;

export type BatchStatus = (typeof BATCH_STATUSES)[number];

/** Nothing happens to it any more. */
export const isEnded = (status: BatchStatus): boolean =>
  status === 'failed' || status === 'completed' || status === 'expired' || status === 'cancelled';

/** What is wrong with the input file, as `errors.data[]` shows it. */
export interface BatchProblem {
  readonly code: string;
  readonly message: string;
  /** Null where the whole file is meant. */
  readonly param: string | null;
  /** 1-based; null where the whole file is meant. */
  readonly line: number | null;
}

export interface BatchUsage {
  readonly inputTokens: number;
  readonly cachedTokens: number;
  readonly outputTokens: number;
  readonly reasoningTokens: number;
}

/** One batch. Times are seconds since the epoch; null: that has not happened. */
export interface Batch {
  /** `batch_` and a ULID. */
  readonly id: string;
  /** `Principal.id`; for everyone else the batch does not exist. */
  readonly owner: string;
  readonly endpoint: BatchEndpoint;
  readonly inputFileId: string;
  readonly completionWindow: string;
  readonly status: BatchStatus;
  /** The only model of all lines; null where there are several, or none is known yet. */
  readonly model: string | null;
  readonly problems: readonly BatchProblem[];
  readonly outputFileId: string | null;
  readonly errorFileId: string | null;
  /** Of the files that it makes; null: as files are configured. */
  readonly outputExpiresAfterS: number | null;
  readonly createdAt: number;
  readonly inProgressAt: number | null;
  readonly expiresAt: number;
  readonly finalizingAt: number | null;
  readonly completedAt: number | null;
  readonly failedAt: number | null;
  readonly expiredAt: number | null;
  readonly cancellingAt: number | null;
  readonly cancelledAt: number | null;
  readonly total: number;
  readonly completed: number;
  readonly failed: number;
  readonly usage: BatchUsage;
  readonly metadata: Readonly<Record<string, string>> | null;
}

/** What a caller asks for. */
export interface BatchDraft {
  readonly owner: string;
  /** Who asks, as JSON, for callers whose facts stand in no table: those with a token of an identity provider. '' otherwise. */
  readonly principal: string;
  readonly endpoint: BatchEndpoint;
  readonly inputFileId: string;
  readonly completionWindow: string;
  readonly metadata: Readonly<Record<string, string>> | null;
  readonly outputExpiresAfterS: number | null;
}

/** Lines that one job works through: a range of bytes of the input file. */
export interface Shard {
  readonly number: number;
  /** First byte, and the first one behind. */
  readonly from: number;
  readonly to: number;
  /** 1-based number of the first line in the file; blank lines count. */
  readonly firstLine: number;
  /** Requests in it. */
  readonly requests: number;
}

/** How one request of a batch ended. */
export interface LineResult {
  /** A 2xx answer stands in the output file, everything else in the error file. */
  readonly ok: boolean;
  /** The line of that file, without its end. */
  readonly line: Buffer;
  readonly usage: BatchUsage;
}

export const NO_USAGE: BatchUsage = { inputTokens: 0, cachedTokens: 0, outputTokens: 0, reasoningTokens: 0 };
