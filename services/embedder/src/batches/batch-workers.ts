import {
  areProblems,
  BATCH_QUEUE,
  type Batch,
  type BatchJob,
  BatchJobs,
  BatchStore,
  LINE_QUEUE,
  type LineJob,
  validate,
} from '@headgate/core/batches';
import { type BatchPolicy, DEFAULT_BATCHES } from '@headgate/core/catalog';
import { GatewayError } from '@headgate/core/errors';
import type { FileStore } from '@headgate/core/files';
import { createQueueConnection, type RedisClient, redisKeys } from '@headgate/core/redis';
import { type GaugeReading, type Logger, METRIC, type Metrics } from '@headgate/core/telemetry';
import { DelayedError, type Job, Worker } from 'bullmq';
import { closedWithin } from '../closing.ts';
import { finalize } from './finalize.ts';
import { type RunLine, ShardRun } from './shard-run.ts';
import { Sweeper } from './sweeper.ts';

/** One job's lines. */
const SHARD = { requests: 50, bytes: 1_048_576 };
/** Requests of one shard at one time. */
const OF_A_SHARD = 8;
const LONGEST_WAIT_MS = 60_000;
/** A worker that dies holds its jobs for about so long. */
const DEFAULT_LOCK_MS = 10_000;
/** A job may be taken from dead workers as often as they die. */
const STALLED_OFTEN = 1_000_000;
const STOP_WITHIN_MS = 1_500;
const COUNT_MS = 2_000;

export interface BatchWorkersOptions {
  readonly redisUrl: string;
  /** Where BullMQ keeps its queues; the same, or another Redis. */
  readonly queueUrl: string;
  readonly prefix: string;
  readonly files: FileStore;
  /** In force now. */
  readonly policy: () => BatchPolicy | undefined;
  /** Who runs the requests of a batch: as its owner. Null: the owner may not ask for anything any more. */
  readonly runnerOf: (batch: Batch, principal: string | null) => RunLine | null;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly lockMs?: number;
  /** How often lost batches are looked for. */
  readonly sweepMs?: number;
}

/** Works batches off: validates them, runs their lines, makes their files, and looks after what got lost. */
export class BatchWorkers {
  readonly #options: BatchWorkersOptions;
  readonly #client: RedisClient;
  readonly #connection: RedisClient;
  readonly #store: BatchStore;
  readonly #jobs: BatchJobs;
  readonly #batches: Worker<BatchJob>;
  readonly #lines: Worker<LineJob>;
  readonly #sweeper: Sweeper;
  readonly #stop = new AbortController();
  #counts: readonly GaugeReading[] = [];
  #timer: NodeJS.Timeout | null = null;
  #lastError = '';

  constructor(options: BatchWorkersOptions) {
    this.#options = options;
    const { redisUrl, queueUrl, prefix, log, lockMs = DEFAULT_LOCK_MS, sweepMs } = options;
    const keys = redisKeys(prefix);
    // Results are large: nothing that has to be quick may wait behind them.
    this.#client = createQueueConnection(redisUrl, 'headgate-embedder-batches');
    this.#connection = createQueueConnection(queueUrl, 'headgate-embedder-batch-queues');
    this.#store = new BatchStore(this.#client, keys);
    const onError = (error: Error): void => this.#onError(error);
    this.#jobs = new BatchJobs(this.#connection, keys, onError);
    const shared = {
      connection: this.#connection,
      prefix: keys.queues,
      lockDuration: lockMs,
      stalledInterval: Math.max(1_000, lockMs / 2),
      maxStalledCount: STALLED_OFTEN,
      autorun: false,
    };
    const shardsAtOnce = Math.max(1, Math.floor(this.#policy.concurrency / OF_A_SHARD));
    this.#batches = new Worker(BATCH_QUEUE, (job) => this.#batchJob(job), { ...shared, concurrency: 4 });
    this.#lines = new Worker(LINE_QUEUE, (job, token) => this.#lineJob(job, token), {
      ...shared,
      concurrency: shardsAtOnce,
    });
    for (const worker of [this.#batches, this.#lines]) {
      worker.on('error', onError);
      worker.on('failed', (job, error) => log.warn('a job of a batch failed', { job: job?.id, reason: error.message }));
    }
    options.metrics.gauges(METRIC.batchJobs, 'highest', () => this.#counts);
    this.#sweeper = new Sweeper({
      store: this.#store,
      jobs: this.#jobs,
      files: options.files,
      log,
      ...(sweepMs && { everyMs: sweepMs }),
    });
  }

  get #policy(): BatchPolicy {
    return this.#options.policy() ?? DEFAULT_BATCHES;
  }

  start(): void {
    for (const worker of [this.#batches, this.#lines]) {
      worker.run().catch((error: Error) => this.#onError(error));
    }
    this.#sweeper.start();
    this.#timer = setInterval(() => void this.#count(), COUNT_MS);
  }

  async #count(): Promise<void> {
    const counted = await this.#jobs.waiting().catch(() => null);
    const { batches, lines } = counted ?? {};
    this.#counts =
      batches === undefined || lines === undefined
        ? []
        : [
            { values: ['batch'], value: batches },
            { values: ['lines'], value: lines },
          ];
  }

  /** The limits of the configuration have changed. */
  configured(): void {
    this.#lines.concurrency = Math.max(1, Math.floor(this.#policy.concurrency / OF_A_SHARD));
  }

  /** Requests under way may end within `graceMs`; what is left goes back to the queue. */
  async stop(graceMs: number): Promise<void> {
    this.#sweeper.stop();
    if (this.#timer !== null) clearInterval(this.#timer);
    const closed = Promise.all([this.#batches.close(), this.#lines.close()]);
    const cut = setTimeout(() => this.#stop.abort(), graceMs);
    await closedWithin(graceMs + STOP_WITHIN_MS, closed, this.#connection);
    clearTimeout(cut);
    await Promise.race([this.#jobs.close(), pause(STOP_WITHIN_MS)]);
    this.#connection.disconnect();
    this.#client.disconnect();
  }

  async #batchJob({ name, data }: Job<BatchJob>): Promise<void> {
    const batch = await this.#store.find(data.batchId);
    if (batch === null) return;
    if (name === 'validate') await this.#validate(batch);
    else await this.#finalize(batch);
  }

  async #validate(batch: Batch): Promise<void> {
    const { id, owner, inputFileId, endpoint, status } = batch;
    if (status === 'in_progress') {
      // Whoever accepted it may have died before all of its jobs were added.
      await this.#jobs.lines(id, await this.#store.shards(id));
      return;
    }
    if (status !== 'validating') return;
    const { files } = this.#options;
    if ((await files.get(owner, inputFileId)) === null) {
      await this.#store.reject(id, [inputGone(inputFileId)]);
      return;
    }
    const { maxLineBytes, maxRequests, maxEmbeddingInputs } = this.#policy;
    const caps = { lineBytes: maxLineBytes, requests: maxRequests, embeddingInputs: maxEmbeddingInputs };
    const found = await validate(files.read(owner, inputFileId), endpoint, caps, SHARD);
    if (areProblems(found)) await this.#store.reject(id, found);
    else if (await this.#store.accept(id, found)) await this.#jobs.lines(id, found.shards);
  }

  async #finalize(batch: Batch): Promise<void> {
    const longestLine = this.#policy.maxLineBytes;
    try {
      await finalize(batch, { store: this.#store, files: this.#options.files, longestLine });
    } catch (error) {
      if (!(error instanceof GatewayError) || error.status !== 400) throw error;
      // What cannot be kept, such as by the bucket's rules.
      const problem = { code: error.code ?? error.type, message: error.message, param: null, line: null };
      await this.#store.reject(batch.id, [problem]);
    }
  }

  async #lineJob(job: Job<LineJob>, token: string | undefined): Promise<void> {
    const { batchId, shard: number } = job.data;
    const batch = await this.#store.find(batchId);
    const shard = (await this.#store.shards(batchId))[number];
    const claim = batch === null || shard === undefined ? null : await this.#store.begin(batchId, number);
    if (batch === null || shard === undefined || claim === null) return;
    if (claim.done.size >= shard.requests) return;
    const { files, runnerOf } = this.#options;
    const hasInput = (await files.get(batch.owner, batch.inputFileId)) !== null;
    const run = runnerOf(batch, await this.#store.principal(batchId));
    if (!hasInput || run === null) {
      await this.#store.doom(batchId, [hasInput ? ownerGone() : inputGone(batch.inputFileId)]);
      await this.#jobs.finalize(batchId);
      return;
    }
    const { last, waitMs } = await new ShardRun({
      store: this.#store,
      batch,
      shard,
      claim,
      pieces: files.read(batch.owner, batch.inputFileId, { from: shard.from }),
      longestLine: this.#policy.maxLineBytes,
      run,
      concurrency: OF_A_SHARD,
      signal: this.#stop.signal,
    }).run();
    if (last) await this.#jobs.finalize(batchId);
    else if (waitMs > 0 || this.#stop.signal.aborted) {
      await job.moveToDelayed(Date.now() + Math.min(LONGEST_WAIT_MS, waitMs), token);
      throw new DelayedError();
    }
  }

  #onError(error: Error): void {
    // BullMQ tells the same for each of its commands while Redis is away.
    if (error.message === this.#lastError || this.#stop.signal.aborted) return;
    this.#lastError = error.message;
    this.#options.log.warn('the queue of batches does not work', { reason: error.message });
  }
}

const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

const inputGone = (id: string) => ({
  code: 'input_file_not_found',
  message: `The input file ${id} was deleted or has expired.`,
  param: 'input_file_id',
  line: null,
});

const ownerGone = () => ({
  code: 'invalid_api_key',
  message: 'The API key that made this batch is not valid any more.',
  param: null,
  line: null,
});
