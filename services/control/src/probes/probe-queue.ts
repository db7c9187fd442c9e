import { setTimeout as after } from 'node:timers/promises';
import { createQueueConnection, type RedisClient, redisKeys } from '@headgate/core/redis';
import type { Logger } from '@headgate/core/telemetry';
import { type Job, Queue, Worker } from 'bullmq';

const NAME = 'probes';
/** Probes that this replica has under way at once; they wait for the network. */
const CONCURRENCY = 64;
/** Nobody reads the queue's event stream. */
const KEPT_EVENTS = 100;
/** A job whose replica died goes to another one after about this long. */
const LOCK_MS = 10_000;
/** What BullMQ may take to come to an end; with a Redis that does not answer it never would. */
const STOP_WITHIN_MS = 1_500;

export interface ProbeQueueOptions {
  readonly redisUrl: string;
  readonly prefix: string;
  readonly log: Logger;
  /** Runs one job; does not throw. */
  readonly run: (endpointKey: string) => Promise<void>;
  /** The connection is there, for the first time or again. */
  readonly onUp: () => void;
}

/** When an endpoint is to be probed; milliseconds. */
export interface ProbePlan {
  readonly everyMs: number;
  /** From now until the first one. */
  readonly firstInMs: number;
}

interface ProbeJob {
  readonly endpointKey: string;
}

/**
 * The schedule of probes, shared by all replicas of control: one BullMQ job scheduler an endpoint, and each of its jobs
 * runs in exactly one replica.
 */
export class ProbeQueue {
  readonly #options: ProbeQueueOptions;
  readonly #connection: RedisClient;
  readonly #queue: Queue<ProbeJob>;
  readonly #worker: Worker<ProbeJob>;
  #up = false;
  #lastError = '';

  constructor(options: ProbeQueueOptions) {
    this.#options = options;
    // Whether Redis is there is told by control's own connection.
    this.#connection = createQueueConnection(options.redisUrl, 'headgate-control-probes', {
      onUp: () => this.#onUp(),
      onDown: () => {
        this.#up = false;
      },
    });
    const shared = { connection: this.#connection, prefix: redisKeys(options.prefix).queues };
    this.#queue = new Queue<ProbeJob>(NAME, { ...shared, streams: { events: { maxLen: KEPT_EVENTS } } });
    this.#worker = new Worker<ProbeJob>(NAME, (job: Job<ProbeJob>) => options.run(job.data.endpointKey), {
      ...shared,
      concurrency: CONCURRENCY,
      lockDuration: LOCK_MS,
      stalledInterval: LOCK_MS,
      autorun: false,
    });
    this.#queue.on('error', (error) => this.#onError(error));
    this.#worker.on('error', (error) => this.#onError(error));
    this.#worker.on('failed', (_job, error) => this.#onError(error));
  }

  start(): void {
    this.#worker.run().catch((error: Error) => this.#onError(error));
  }

  /** Whether commands are answered now; else they wait. */
  get up(): boolean {
    return this.#up;
  }

  /** Makes these endpoints, and no others, be probed. Rejects when it is stopped meanwhile. */
  async schedule(wanted: ReadonlyMap<string, ProbePlan>): Promise<void> {
    const known = new Map((await this.#queue.getJobSchedulers()).map((scheduler) => [scheduler.key, scheduler]));
    for (const id of known.keys()) {
      if (!wanted.has(decodeURIComponent(id))) await this.#queue.removeJobScheduler(id);
    }
    for (const [endpointKey, { everyMs, firstInMs }] of wanted) {
      const id = schedulerId(endpointKey);
      const { every, next } = known.get(id) ?? {};
      // One whose next job is long overdue lost it, with a replica that died or a Redis that forgot.
      if (every === everyMs && next !== undefined && next > Date.now() - everyMs) continue;
      await this.#queue.upsertJobScheduler(
        id,
        { every: everyMs, startDate: Date.now() + Math.max(0, firstInMs) },
        { name: 'probe', data: { endpointKey }, opts: { removeOnComplete: true, removeOnFail: true } },
      );
    }
  }

  /** Takes no more jobs, waits for those that run, and leaves the schedule to the other replicas. */
  async stop(): Promise<void> {
    const closed = this.#worker.close().then(() => true);
    const inTime = await Promise.race([closed, after(STOP_WITHIN_MS, false, { ref: false })]);
    this.#connection.disconnect();
    if (!inTime) void this.#worker.disconnect().catch(() => undefined);
  }

  #onUp(): void {
    this.#up = true;
    this.#lastError = '';
    this.#options.onUp();
  }

  /** BullMQ repeats itself with every try. */
  #onError(error: Error): void {
    if (!this.#up || isLostConnection(error) || error.message === this.#lastError) return;
    this.#lastError = error.message;
    this.#options.log.warn('the queue of probes has a problem', { error });
  }
}

/** Found by the command that was being written, before the connection itself knows. */
const isLostConnection = (error: Error): boolean => 'syscall' in error || error.message === 'Connection is closed.';

/** Without colons, by which BullMQ tells its older kinds of schedules. */
const schedulerId = (endpointKey: string): string => encodeURIComponent(endpointKey);
