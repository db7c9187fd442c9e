import type { TemplatedApp, us_listen_socket } from 'uWebSockets.js';
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { BatchJobs, BatchStore } from '@headgate/core/batches';
import { DEFAULT_EMBEDDINGS, DEFAULT_FILES, DEFAULT_HEALTH, embeddingProviders } from '@headgate/core/catalog';
import type { Bootstrap } from '@headgate/core/config';
import { InlineRunner } from '@headgate/core/embeddings';
import { StoredFiles } from '@headgate/core/files';
import { HealthBoard } from '@headgate/core/health';
import { Reports, UsageWriter } from '@headgate/core/ledger';
import { RedisLimiter } from '@headgate/core/limits';
import { ChunkQueue, QueuedEmbeddings } from '@headgate/core/queue';
import { createRequestClient, type RedisClient, redisKeys } from '@headgate/core/redis';
import { addAccountingMetrics } from '@headgate/core/serving';
import { requireSecret, SnapshotFeed } from '@headgate/core/snapshot';
import {
  addEndpointMetrics,
  METRIC,
  PROMETHEUS_CONTENT_TYPE,
  packageVersion,
  startTelemetry,
  type Telemetry,
} from '@headgate/core/telemetry';
import { UpstreamPools } from '@headgate/core/upstream';
import { routes } from './app.ts';
import { drainSettings } from './drain-settings.ts';
import { endpointStates, endpointsOf } from './endpoint-states.ts';
import type { Exchange } from './exchange.ts';
import { Gateway } from './gateway.ts';
import { isMessage, type ToPrimary, type ToWorker } from './messages.ts';
import { addQueueMetrics, queueCounters } from './queue-metrics.ts';
import { loadUws, type UwsModule } from './uws.ts';

/** At the end, providers whose clients have left are listened to for so long; what they have not told by then is estimated. */
const USAGE_GRACE_MS = 5_000;
/** For the errors that requests get at the drain limit. */
const CUT_GRACE_MS = 500;
/** Files that have expired, and what uploads left, are removed so often. */
const SWEEP_FILES_MS = 60_000;

/** One serving process. */
export class Worker {
  readonly #bootstrap: Bootstrap;
  readonly #uws: UwsModule;
  readonly #telemetry: Telemetry;
  readonly #feed: SnapshotFeed;
  readonly #pools = new UpstreamPools();
  readonly #health: HealthBoard;
  readonly #leases: RedisClient;
  readonly #ledger: RedisClient;
  readonly #blocks: RedisClient;
  readonly #batches: RedisClient;
  readonly #batchQueues: RedisClient;
  readonly #chunks: ChunkQueue;
  readonly #gateway: Gateway;
  readonly #app: TemplatedApp;
  readonly #scrapes = new Map<number, Exchange>();
  #socket: us_listen_socket | null = null;
  #nextScrape = 1;
  #draining = false;

  static async start(bootstrap: Bootstrap): Promise<Worker> {
    const telemetry = await startTelemetry({ service: 'ingress', version: packageVersion(import.meta.url) });
    const worker = new Worker(bootstrap, telemetry);
    await worker.#start();
    return worker;
  }

  private constructor(bootstrap: Bootstrap, telemetry: Telemetry) {
    const { uws, binding } = loadUws();
    telemetry.logger.debug('uWebSockets.js loaded', { binding });
    this.#bootstrap = bootstrap;
    this.#uws = uws;
    this.#telemetry = telemetry;
    this.#feed = new SnapshotFeed({
      redisUrl: bootstrap.redis.url,
      prefix: bootstrap.redis.prefix,
      secret: requireSecret(process.env),
      log: telemetry.logger,
      name: 'headgate-ingress',
    });
    this.#health = new HealthBoard({
      redisUrl: bootstrap.redis.url,
      prefix: bootstrap.redis.prefix,
      log: telemetry.logger,
      name: 'headgate-ingress-health',
      policy: () => (this.#feed.current()?.table.health ?? DEFAULT_HEALTH).breaker,
      known: () => this.#endpointKeys(),
    });
    const { url, prefix } = bootstrap.redis;
    const keys = redisKeys(prefix);
    // Connections of their own: a request's lease must not wait behind a report's long reply.
    this.#leases = createRequestClient(url, 'headgate-ingress-limits');
    this.#ledger = createRequestClient(url, 'headgate-ingress-ledger');
    this.#blocks = createRequestClient(url, 'headgate-ingress-files');
    this.#batches = createRequestClient(url, 'headgate-ingress-batches');
    this.#batchQueues = createRequestClient(bootstrap.redis.queueUrl ?? url, 'headgate-ingress-batch-queues');
    const refused = telemetry.metrics.counter(METRIC.limitsRefused);
    const replicaId = `${hostname()}:${process.pid}:${randomBytes(4).toString('hex')}`;
    const queuePolicy = () => (this.#feed.current()?.table.embeddings ?? DEFAULT_EMBEDDINGS).queue;
    this.#chunks = new ChunkQueue({
      queueUrl: bootstrap.redis.queueUrl ?? url,
      prefix,
      waiter: replicaId,
      policy: queuePolicy,
      leftovers: () => {
        const table = this.#feed.current()?.table;
        if (table === undefined) return { providers: [], longestMs: 0 };
        return { providers: embeddingProviders(table), longestMs: table.server.requestTimeoutMs };
      },
      log: telemetry.logger,
      ...queueCounters(telemetry.metrics),
    });
    const inline = new InlineRunner();
    this.#gateway = new Gateway({
      feed: this.#feed,
      pools: this.#pools,
      telemetry,
      health: this.#health,
      limiter: new RedisLimiter({
        client: this.#leases,
        keys,
        replicaId,
        log: telemetry.logger,
        onRefused: (subject, limit) => refused.series(subject, limit).add(1),
      }),
      usage: new UsageWriter(this.#ledger, keys, telemetry.logger),
      reports: new Reports(this.#ledger, keys),
      files: new StoredFiles({
        client: this.#blocks,
        keys,
        policy: () => this.#feed.current()?.table.files ?? DEFAULT_FILES,
        log: telemetry.logger,
      }),
      batches: {
        store: new BatchStore(this.#batches, keys),
        // That Redis is away is told by the feed, and to whoever asks for a batch.
        jobs: new BatchJobs(this.#batchQueues, keys, () => undefined),
      },
      inlineEmbeddings: inline,
      embeddings: new QueuedEmbeddings(this.#chunks, inline, queuePolicy),
    });
    this.#app = routes(uws.App(), this.#gateway, (exchange) => this.#scrape(exchange));
  }

  async #start(): Promise<void> {
    const { metrics } = this.#telemetry;
    const { snapshotVersion, redisUp } = METRIC;
    metrics.gauge(snapshotVersion.name, snapshotVersion.help, () => this.#feed.current()?.table.version ?? 0);
    metrics.gauge(redisUp.name, redisUp.help, () => (this.#feed.redisUp() ? 1 : 0));
    addEndpointMetrics(metrics, () => {
      const table = this.#feed.current()?.table;
      return table === undefined ? [] : endpointStates(table, this.#health);
    });
    addQueueMetrics(metrics, this.#chunks);
    addAccountingMetrics(metrics, this.#gateway.limiter, this.#gateway.usage);
    process.on('message', (message: unknown) => this.#onMessage(message));
    // The primary decides on Ctrl-C, which the terminal sends to all of us.
    process.on('SIGINT', () => undefined);
    process.on('SIGTERM', () => void this.#drain());
    this.#chunks.start();
    await this.#feed.start();
    await Promise.all([this.#health.start(), this.#gateway.limiter.start()]);
    setInterval(() => this.#sweepFiles(), SWEEP_FILES_MS).unref();
    await this.#listen();
    tell({ type: 'listening' });
  }

  #sweepFiles(): void {
    // What fails has been logged, and is tried again.
    if (this.#feed.redisUp()) this.#gateway.files.sweep().catch(() => undefined);
  }

  #endpointKeys(): Iterable<string> {
    const table = this.#feed.current()?.table;
    return table === undefined ? [] : endpointsOf(table).keys();
  }

  #listen(): Promise<void> {
    const { host, port } = this.#bootstrap.server;
    return new Promise((resolve, reject) => {
      this.#app.listen(host, port, (socket) => {
        if (!socket) return reject(new Error(`cannot listen on ${host}:${port}`));
        this.#socket = socket;
        resolve();
      });
    });
  }

  #onMessage(message: unknown): void {
    if (!isMessage<ToWorker>(message)) return;
    if (message.type === 'drain') void this.#drain();
    else if (message.type === 'measure') {
      tell({ type: 'measured', id: message.id, snapshot: this.#telemetry.metrics.serialise() });
    } else if (message.type === 'scrape') {
      this.#scrapes.get(message.id)?.answerText(200, message.text, PROMETHEUS_CONTENT_TYPE);
      this.#scrapes.delete(message.id);
    }
  }

  /** `GET /metrics`: whichever process is asked answers for all. */
  #scrape(exchange: Exchange): void {
    const id = this.#nextScrape++;
    this.#scrapes.set(id, exchange);
    exchange.onGone = () => this.#scrapes.delete(id);
    tell({ type: 'scrape', id });
  }

  /** Readiness goes first, then the port, then, when the last stream has ended, the process (DESIGN 10). */
  async #drain(): Promise<void> {
    if (this.#draining) return;
    this.#draining = true;
    const { delayMs, timeoutMs } = drainSettings(process.env);
    const drained = this.#gateway.drain();
    await pause(delayMs);
    if (this.#socket) this.#uws.us_listen_socket_close(this.#socket);
    this.#socket = null;
    const inTime = await Promise.race([drained.then(() => true), pause(timeoutMs).then(() => false)]);
    if (!inTime) {
      this.#telemetry.logger.warn('drain limit reached, cutting open requests', { open: this.#gateway.openRequests });
      this.#gateway.cutOpen();
      // Closing the sockets drops what a slow client has not taken yet.
      await pause(CUT_GRACE_MS);
    }
    this.#app.close();
    // Clients that are cut off have used something, too.
    await this.#gateway.lateUsage.finish(USAGE_GRACE_MS);
    // Leases go back, and what was used is written down, before anything is closed.
    await Promise.all([this.#gateway.limiter.stop(), this.#gateway.usage.stop()]);
    this.#gateway.oidc.close();
    await this.#chunks.stop();
    this.#leases.disconnect();
    this.#ledger.disconnect();
    this.#blocks.disconnect();
    await this.#gateway.batches.jobs.close().catch(() => undefined);
    this.#batches.disconnect();
    this.#batchQueues.disconnect();
    await Promise.all([this.#feed.stop(), this.#health.stop(), this.#pools.close(), this.#telemetry.shutdown()]);
    process.exit(0);
  }
}

const pause = (ms: number): Promise<void> =>
  ms <= 0 ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, ms));

function tell(message: ToPrimary): void {
  process.send?.(message, undefined, undefined, () => undefined);
}
