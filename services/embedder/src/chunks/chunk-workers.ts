import { type EmbeddingQueuePolicy, embeddingProviders, type RoutingTable } from '@headgate/core/catalog';
import { ChunkStore, ProviderQueues } from '@headgate/core/queue';
import {
  createQueueConnection,
  createSubscriber,
  type RedisClient,
  type RedisKeys,
  redisKeys,
} from '@headgate/core/redis';
import { type GaugeReading, type Logger, METRIC, type Metrics } from '@headgate/core/telemetry';
import { closedWithin } from '../closing.ts';
import type { ChunkHandler, ChunkMetrics } from './contract.ts';
import { ProviderWorker } from './provider-worker.ts';

const COUNT_MS = 2_000;
const STOP_WITHIN_MS = 1_500;
const STATES = ['waiting', 'active', 'delayed'] as const;

export interface ChunkWorkersOptions {
  readonly queueUrl: string;
  readonly prefix: string;
  readonly handler: ChunkHandler;
  readonly metrics: Metrics;
  readonly log: Logger;
}

/** Works off the queues of all providers that have embedding models. */
export class ChunkWorkers {
  readonly #options: ChunkWorkersOptions;
  readonly #keys: RedisKeys;
  readonly #connection: RedisClient;
  readonly #subscriber: RedisClient;
  readonly #store: ChunkStore;
  readonly #queues: ProviderQueues;
  readonly #measured: ChunkMetrics;
  readonly #workers = new Map<string, ProviderWorker>();
  readonly #concurrency = new Map<string, number | null>();
  #counts: readonly GaugeReading[] = [];
  #policy: EmbeddingQueuePolicy | null = null;
  #timer: NodeJS.Timeout | null = null;
  #lastError = '';

  constructor(options: ChunkWorkersOptions) {
    const { queueUrl, prefix, metrics } = options;
    this.#options = options;
    this.#keys = redisKeys(prefix);
    this.#connection = createQueueConnection(queueUrl, 'headgate-embedder-chunks', {
      onUp: () => {
        this.#lastError = '';
      },
    });
    this.#subscriber = createSubscriber(queueUrl, 'headgate-embedder-cancelled');
    this.#store = new ChunkStore(this.#connection, this.#keys);
    this.#queues = new ProviderQueues(this.#connection, this.#keys, (error) => this.#onError(error));
    this.#measured = {
      duration: metrics.histogram(METRIC.queueJobDuration),
      retries: metrics.counter(METRIC.queueRetries),
    };
    metrics.gauges(METRIC.queueJobs, 'highest', () => this.#counts);
    this.#subscriber.on('message', (_channel: string, id: string) => {
      for (const worker of this.#workers.values()) worker.cancel(id);
    });
  }

  start(): void {
    this.#subscriber.subscribe(this.#keys.embeds.cancelled).catch(() => undefined);
    this.#timer = setInterval(() => void this.#count(), COUNT_MS);
  }

  /** A snapshot is in force: providers come, go, or have other limits. */
  configured(table: RoutingTable): void {
    const { queue } = table.embeddings;
    this.#policy = queue;
    const wanted = embeddingProviders(table);
    for (const [provider, worker] of this.#workers) {
      if (wanted.has(provider)) continue;
      this.#workers.delete(provider);
      worker.close().catch((error: Error) => this.#onError(error));
    }
    for (const provider of wanted) {
      const worker = this.#workers.get(provider) ?? this.#begin(provider, queue.concurrency);
      worker.concurrency = queue.concurrency;
      this.#bound(provider, table.limits.providers.get(provider)?.concurrency ?? null);
    }
  }

  /** What runs may end within `graceMs`; what is left goes back to the queue. */
  async stop(graceMs: number): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    const workers = [...this.#workers.values()];
    const closed = Promise.all(workers.map((worker) => worker.close())).catch((error: Error) => this.#onError(error));
    const cut = setTimeout(() => {
      for (const worker of workers) worker.handBack();
    }, graceMs);
    const inTime = await closedWithin(graceMs + STOP_WITHIN_MS, closed, this.#connection);
    clearTimeout(cut);
    await Promise.race([this.#queues.close().catch(() => undefined), pause(STOP_WITHIN_MS)]);
    if (!inTime) for (const worker of workers) worker.disconnect().catch(() => undefined);
    this.#connection.disconnect();
    this.#subscriber.disconnect();
  }

  #begin(provider: string, concurrency: number): ProviderWorker {
    const worker = new ProviderWorker({
      provider,
      connection: this.#connection,
      keys: this.#keys,
      store: this.#store,
      queues: this.#queues,
      handler: this.#options.handler,
      concurrency,
      resultMs: () => this.#policy?.resultMs ?? 0,
      metrics: this.#measured,
      onError: (error) => this.#onError(error),
    });
    this.#workers.set(provider, worker);
    return worker;
  }

  /** Of all embedders together. */
  #bound(provider: string, concurrency: number | null): void {
    if (this.#concurrency.get(provider) === concurrency) return;
    this.#concurrency.set(provider, concurrency);
    const queue = this.#queues.of(provider);
    const set = concurrency === null ? queue.removeGlobalConcurrency() : queue.setGlobalConcurrency(concurrency);
    set.catch((error: Error) => {
      this.#concurrency.delete(provider);
      this.#onError(error);
    });
  }

  async #count(): Promise<void> {
    const counted = await Promise.all(
      [...this.#workers.keys()].map(async (provider): Promise<GaugeReading[]> => {
        const counts = await this.#queues.of(provider).getJobCounts(...STATES);
        return STATES.map((state) => ({ values: [provider, state], value: counts[state] ?? 0 }));
      }),
    ).catch(() => []);
    this.#counts = counted.flat();
  }

  /** BullMQ tells the same for each of its commands while Redis is away. */
  #onError(error: Error): void {
    if (error.message === this.#lastError || 'syscall' in error || error.message === 'Connection is closed.') return;
    this.#lastError = error.message;
    this.#options.log.warn('the queue of embeddings has a problem', { reason: error.message });
  }
}

const pause = (ms: number): Promise<false> => new Promise((done) => setTimeout(done, ms, false));
