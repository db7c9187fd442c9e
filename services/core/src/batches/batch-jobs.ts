import { type ConnectionOptions, Queue } from 'bullmq';
import type { RedisKeys } from '../redis/index.ts';
import type { Shard } from './contract.ts';

/** Short work on whole batches. */
export const BATCH_QUEUE = 'batches';
/** The requests themselves, a shard a job. */
export const LINE_QUEUE = 'batch-lines';

export interface BatchJob {
  readonly batchId: string;
}

export interface LineJob extends BatchJob {
  readonly shard: number;
}

/** Nobody reads the queues' event streams. */
const KEPT_EVENTS = 100;
/** BullMQ's highest. */
const LAST_PRIORITY = 2 ** 21 - 1;
/** A job that cannot be done is added again by whoever sweeps: it leaves nothing that would stand in the way. */
const ONCE = {
  attempts: 5,
  backoff: { type: 'exponential', delay: 500, jitter: 0.5 },
  removeOnComplete: true,
  removeOnFail: true,
} as const;

/**
 * Adds the jobs of batches. Each has an id that follows from what it is for: one that waits or runs already is not added
 * again, so that adding is harmless at any time.
 */
export class BatchJobs {
  readonly #batches: Queue<BatchJob>;
  readonly #lines: Queue<LineJob>;

  /** `connection` waits for a Redis that is away (`createQueueConnection`), or fails at once. */
  constructor(connection: ConnectionOptions, keys: RedisKeys, onError: (error: Error) => void) {
    const shared = { connection, prefix: keys.queues, streams: { events: { maxLen: KEPT_EVENTS } } };
    this.#batches = new Queue(BATCH_QUEUE, shared);
    this.#lines = new Queue(LINE_QUEUE, shared);
    for (const queue of [this.#batches, this.#lines]) queue.on('error', onError);
  }

  async validate(batchId: string): Promise<void> {
    await this.#batches.add('validate', { batchId }, { ...ONCE, jobId: `validate-${batchId}` });
  }

  /** Beginnings of all batches come before the ends of any, so that a small one does not wait for a large one. */
  async lines(batchId: string, shards: readonly Shard[]): Promise<void> {
    const jobs = shards.map(({ number }) => ({
      name: 'lines',
      data: { batchId, shard: number },
      opts: { ...ONCE, jobId: `lines-${batchId}-${number}`, priority: Math.min(number + 1, LAST_PRIORITY) },
    }));
    for (let at = 0; at < jobs.length; at += 500) await this.#lines.addBulk(jobs.slice(at, at + 500));
  }

  /** `delayMs`: what is under way may come to its end first. */
  async finalize(batchId: string, delayMs = 0): Promise<void> {
    await this.#batches.add('finalize', { batchId }, { ...ONCE, jobId: `finalize-${batchId}`, delay: delayMs });
  }

  /** Jobs that wait, for metrics. */
  async waiting(): Promise<{ readonly batches: number; readonly lines: number }> {
    const counts = await Promise.all(
      [this.#batches, this.#lines].map((queue) => queue.getJobCountByTypes('waiting', 'prioritized', 'delayed')),
    );
    return { batches: counts[0] ?? 0, lines: counts[1] ?? 0 };
  }

  async close(): Promise<void> {
    await Promise.all([this.#batches.close(), this.#lines.close()]);
  }
}
