import { fromJson, type JsonValue, toBinary } from '@bufbuild/protobuf';
import { type ChunkStore, longestBackoffMs, type ProviderQueues, queueName } from '@headgate/core/queue';
import type { RedisClient, RedisKeys } from '@headgate/core/redis';
import {
  type EmbeddingFailure,
  type EmbeddingJob,
  EmbeddingJobSchema,
  EmbeddingOutcomeSchema,
} from '@headgate/proto/embedding_job';
import { DelayedError, type Job, Worker } from 'bullmq';
import type { ChunkHandler, ChunkMetrics, ChunkWork } from './contract.ts';

/** A chunk whose embedder died goes to another one after at most this and two `STALLED_MS`. */
const LOCK_MS = 5_000;
const STALLED_MS = 2_000;
/** A job may be taken from dead embedders as often as they die. */
const STALLED_OFTEN = 1_000_000;
/** BullMQ honours a pause (`queue.rateLimit`) only where there is a limit; this one is never reached. */
const NO_LIMIT = { max: 1_000_000_000, duration: 1_000 };
const LONGEST_PAUSE_MS = 60_000;
const DEFAULT_PAUSE_MS = 1_000;
/** Failures that another try may not meet (DESIGN 6); those of the caller stay what they are. */
const PASSING: ReadonlySet<string> = new Set(['overloaded', 'silent', 'empty_success', 'stream_broken']);

export interface ProviderWorkerOptions {
  readonly provider: string;
  readonly connection: RedisClient;
  readonly keys: RedisKeys;
  readonly store: ChunkStore;
  readonly queues: ProviderQueues;
  readonly handler: ChunkHandler;
  readonly concurrency: number;
  readonly resultMs: () => number;
  readonly metrics: ChunkMetrics;
  readonly onError: (error: Error) => void;
}

/** Works off the queue of one provider. */
export class ProviderWorker {
  readonly #options: ProviderWorkerOptions;
  readonly #worker: Worker<JsonValue>;
  /** By chunk. */
  readonly #running = new Map<string, AbortController>();
  #stopping = false;

  constructor(options: ProviderWorkerOptions) {
    this.#options = options;
    this.#worker = new Worker<JsonValue>(queueName(options.provider), (job, token) => this.#work(job, token), {
      connection: options.connection,
      prefix: options.keys.queues,
      concurrency: options.concurrency,
      lockDuration: LOCK_MS,
      stalledInterval: STALLED_MS,
      maxStalledCount: STALLED_OFTEN,
      limiter: NO_LIMIT,
      autorun: false,
    });
    this.#worker.on('error', options.onError);
    // Somebody else has it by now, or will soon.
    this.#worker.on('lockRenewalFailed', (ids) => {
      for (const id of ids) this.cancel(id);
    });
    this.#worker.run().catch(options.onError);
  }

  set concurrency(chunks: number) {
    if (this.#worker.concurrency !== chunks) this.#worker.concurrency = chunks;
  }

  /** Chunks that run now. */
  get running(): number {
    return this.#running.size;
  }

  /** Nobody waits for it any more. */
  cancel(chunkId: string): void {
    this.#running.get(chunkId)?.abort(new Error('nobody waits for this chunk any more'));
  }

  /** Takes no more chunks; resolves when those that run have ended. */
  close(): Promise<void> {
    return this.#worker.close();
  }

  /** Hands those that run back to the queue. */
  handBack(): void {
    this.#stopping = true;
    for (const controller of this.#running.values()) controller.abort(new Error('the embedder stops'));
  }

  async disconnect(): Promise<void> {
    await this.#worker.disconnect();
  }

  async #work(job: Job<JsonValue>, token: string | undefined): Promise<void> {
    const { store, handler, metrics, provider } = this.#options;
    const message = fromJson(EmbeddingJobSchema, job.data, { ignoreUnknownFields: true });
    const { chunkId } = message;
    if (leftMs(message) <= 0) return;
    const epoch = await store.begin(chunkId);
    if (typeof epoch !== 'number') return;
    const controller = new AbortController();
    this.#running.set(chunkId, controller);
    const startedAt = performance.now();
    let outcome = 'error';
    try {
      const work = await handler(message, controller.signal);
      outcome = controller.signal.aborted ? 'cancelled' : await this.#conclude(job, message, epoch, work);
    } finally {
      this.#running.delete(chunkId);
      metrics.duration.series(provider, outcome).record((performance.now() - startedAt) / 1000);
    }
    if (outcome === 'paused') throw Worker.RateLimitError();
    if (outcome === 'retried') throw new Error('a provider failed in a way that may pass');
    if (outcome === 'cancelled' && this.#stopping) {
      await job.moveToDelayed(Date.now(), token);
      throw new DelayedError();
    }
  }

  /** Writes the result, or says why the chunk is to be tried again. */
  async #conclude(job: Job, message: EmbeddingJob, epoch: number, { outcome, data }: ChunkWork): Promise<string> {
    const { failure } = outcome;
    const pauseMs = failure === undefined ? 0 : pauseOf(failure);
    if (pauseMs > 0)
      await this.#options.queues.of(this.#options.provider).rateLimit(Math.min(pauseMs, LONGEST_PAUSE_MS));
    if (failure !== undefined) {
      const again = pauseMs > 0 ? pauseMs < leftMs(message) : mayPass(failure, job, leftMs(message));
      if (again) {
        this.#options.metrics.retries.series(this.#options.provider).add(1);
        return pauseMs > 0 ? 'paused' : 'retried';
      }
    }
    const head = Buffer.from(toBinary(EmbeddingOutcomeSchema, outcome));
    const { store, resultMs } = this.#options;
    const written = await store.commit(message.chunkId, epoch, { head, data }, message.waiter, resultMs());
    if (!written) return 'superseded';
    return failure === undefined ? 'success' : 'failure';
  }
}

const leftMs = ({ deadlineMs }: EmbeddingJob): number => Number(deadlineMs) - Date.now();

/** How long the provider wants to be left alone; 0: it did not say so. */
function pauseOf({ failureClass, retryAfterMs }: EmbeddingFailure): number {
  if (failureClass !== 'rate_limited') return 0;
  return Math.max(1, retryAfterMs ?? DEFAULT_PAUSE_MS);
}

function mayPass({ failureClass, retryAfterMs = 0 }: EmbeddingFailure, job: Job, timeLeftMs: number): boolean {
  const attempt = job.attemptsMade + 1;
  if (!PASSING.has(failureClass) || attempt >= (job.opts.attempts ?? 1)) return false;
  return Math.max(retryAfterMs, longestBackoffMs(attempt)) < timeLeftMs;
}
