import { type ConnectionOptions, type JobsOptions, Queue } from 'bullmq';
import type { RedisKeys } from '../redis/index.ts';

/** Nobody reads the queues' event streams. */
const KEPT_EVENTS = 100;
const FIRST_RETRY_MS = 250;
const ADDED_AT_ONCE = 200;
const REMOVED_AT_ONCE = 10_000;

/** One queue a provider: what asks for a pause (429) holds for that provider, over all embedders. */
export const queueName = (provider: string): string => `embed-${provider}`;

/** The ends of the providers' queues where jobs are added, counted and removed. A job's data is an EmbeddingJob as proto JSON. */
export class ProviderQueues {
  readonly #connection: ConnectionOptions;
  readonly #keys: RedisKeys;
  readonly #onError: (error: Error) => void;
  readonly #queues = new Map<string, Queue>();

  constructor(connection: ConnectionOptions, keys: RedisKeys, onError: (error: Error) => void) {
    this.#connection = connection;
    this.#keys = keys;
    this.#onError = onError;
  }

  of(provider: string): Queue {
    const known = this.#queues.get(provider);
    if (known !== undefined) return known;
    const queue = new Queue(queueName(provider), {
      connection: this.#connection,
      prefix: this.#keys.queues,
      streams: { events: { maxLen: KEPT_EVENTS } },
    });
    queue.on('error', this.#onError);
    this.#queues.set(provider, queue);
    return queue;
  }

  /** Ids are those of the chunks. */
  async add(provider: string, jobs: readonly { readonly id: string; readonly data: unknown }[], attempts: number) {
    const opts: JobsOptions = {
      attempts,
      backoff: { type: 'exponential', delay: FIRST_RETRY_MS, jitter: 0.5 },
      removeOnComplete: true,
      removeOnFail: true,
    };
    const queue = this.of(provider);
    for (let at = 0; at < jobs.length; at += ADDED_AT_ONCE) {
      const some = jobs.slice(at, at + ADDED_AT_ONCE);
      await queue.addBulk(some.map(({ id, data }) => ({ name: 'chunk', data, opts: { ...opts, jobId: id } })));
    }
  }

  /** One that runs just now stays until it ends. */
  async remove(provider: string, id: string): Promise<void> {
    await this.of(provider).remove(id);
  }

  /** Removes what was added longer ago than any request may wait; one that runs just now stays. */
  async removeOlderThan(provider: string, ms: number): Promise<void> {
    const queue = this.of(provider);
    for (const state of ['wait', 'delayed', 'active'] as const) await queue.clean(ms, REMOVED_AT_ONCE, state);
  }

  async close(): Promise<void> {
    const queues = [...this.#queues.values()];
    this.#queues.clear();
    await Promise.all(queues.map((queue) => queue.close()));
  }
}

/** The longest that BullMQ lets a job wait behind its n-th failed attempt, 1 or more. */
export const longestBackoffMs = (attempt: number): number => FIRST_RETRY_MS * 2 ** (attempt - 1);
