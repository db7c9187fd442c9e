import { randomBytes } from 'node:crypto';
import type { Server } from 'node:http';
import { hostname } from 'node:os';
import { DEFAULT_FILES, DEFAULT_HEALTH, type EndpointEntry, type RoutingTable } from '@headgate/core/catalog';
import type { Bootstrap } from '@headgate/core/config';
import { StoredFiles } from '@headgate/core/files';
import { HealthBoard } from '@headgate/core/health';
import { UsageWriter } from '@headgate/core/ledger';
import { RedisLimiter } from '@headgate/core/limits';
import { Heartbeat } from '@headgate/core/queue';
import { createQueueConnection, createRequestClient, type RedisClient, redisKeys } from '@headgate/core/redis';
import { LateUsage } from '@headgate/core/relay';
import { addAccountingMetrics } from '@headgate/core/serving';
import { SnapshotFeed } from '@headgate/core/snapshot';
import { METRIC, type Telemetry } from '@headgate/core/telemetry';
import { Authorizers, UpstreamPools } from '@headgate/core/upstream';
import { type BatchWorkers, startBatchWorkers } from './batches/index.ts';
import { ChunkWorkers, chunkHandler } from './chunks/index.ts';
import { startHealthServer } from './health-server.ts';
import type { EmbedderParts } from './parts.ts';

/** At the end, providers that have not told what was used are listened to for so long. */
const USAGE_GRACE_MS = 5_000;
const DEFAULT_GRACE_SECONDS = 25;

/** One embedder process: works off what ingresses queue. */
export class Embedder {
  readonly #parts: EmbedderParts;
  readonly #heartbeat: Heartbeat;
  readonly #chunks: ChunkWorkers;
  #batches: BatchWorkers | null = null;
  readonly #clients: readonly RedisClient[];
  #healthServer: Server | null = null;
  #stopping = false;

  constructor({ redis }: Bootstrap, secret: string, telemetry: Telemetry) {
    const { url: redisUrl, prefix, queueUrl = redisUrl } = redis;
    const log = telemetry.logger;
    const keys = redisKeys(prefix);
    const replicaId = `${hostname()}:${process.pid}:${randomBytes(4).toString('hex')}`;
    const feed = new SnapshotFeed({ redisUrl, prefix, secret, log, name: 'headgate-embedder' });
    const [leases, ledger, blocks] = ['limits', 'ledger', 'files'].map((name) =>
      createRequestClient(redisUrl, `headgate-embedder-${name}`),
    ) as [RedisClient, RedisClient, RedisClient];
    const heart = createQueueConnection(queueUrl, 'headgate-embedder-heartbeat');
    this.#clients = [leases, ledger, blocks, heart];
    this.#heartbeat = new Heartbeat(heart, keys, replicaId);
    this.#parts = {
      feed,
      pools: new UpstreamPools(),
      authorizers: new Authorizers(),
      health: new HealthBoard({
        redisUrl,
        prefix,
        log,
        name: 'headgate-embedder-health',
        policy: () => (feed.current()?.table.health ?? DEFAULT_HEALTH).breaker,
        known: () => [...endpointsOf(feed.current()?.table).keys()],
      }),
      limiter: new RedisLimiter({ client: leases, keys, replicaId, log }),
      usage: new UsageWriter(ledger, keys, log),
      lateUsage: new LateUsage(),
      files: new StoredFiles({ client: blocks, keys, policy: () => feed.current()?.table.files ?? DEFAULT_FILES, log }),
      telemetry,
      redisUrl,
      queueUrl,
      prefix,
    };
    const { metrics } = telemetry;
    this.#chunks = new ChunkWorkers({ queueUrl, prefix, handler: chunkHandler(this.#parts), metrics, log });
  }

  async start(): Promise<void> {
    const { feed, health, limiter, usage, telemetry } = this.#parts;
    const { snapshotVersion, redisUp, liveEmbedders } = METRIC;
    const { metrics } = telemetry;
    metrics.gauge(snapshotVersion.name, snapshotVersion.help, () => feed.current()?.table.version ?? 0);
    metrics.gauge(redisUp.name, redisUp.help, () => (feed.redisUp() ? 1 : 0));
    metrics.gauges(liveEmbedders, 'highest', () => [{ values: [], value: this.#heartbeat.live ?? Number.NaN }]);
    addAccountingMetrics(metrics, limiter, usage);
    feed.onChange(({ table }) => this.#configured(table));
    await this.#serveHealth();
    await feed.start();
    await Promise.all([health.start(), limiter.start()]);
    const current = feed.current();
    if (current !== null) this.#configured(current.table);
  }

  /** Work is taken, and counted on, from the first configuration on. */
  #configured(table: RoutingTable): void {
    if (this.#stopping) return;
    this.#parts.pools.retain([...table.providers.values()].map(({ baseUrl }) => baseUrl));
    if (this.#batches === null) {
      this.#chunks.start();
      this.#heartbeat.start();
      this.#batches = startBatchWorkers(this.#parts);
    }
    this.#chunks.configured(table);
  }

  /** Takes no more work, lets what runs end within `graceMs`, gives everything back. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    const { feed, health, limiter, usage, lateUsage, pools, telemetry } = this.#parts;
    await within(1_000, this.#heartbeat.stop());
    await Promise.all([this.#chunks.stop(graceMs), this.#batches?.stop(graceMs)]);
    await lateUsage.finish(USAGE_GRACE_MS);
    // Leases go back, and what was used is written down, before anything is closed.
    await Promise.all([limiter.stop(), usage.stop()]);
    for (const client of this.#clients) client.disconnect();
    this.#healthServer?.close();
    this.#healthServer?.closeAllConnections();
    await Promise.all([feed.stop(), health.stop(), pools.close()]);
    await telemetry.shutdown();
  }

  async #serveHealth(): Promise<void> {
    const text = process.env.HEADGATE_EMBEDDER_HEALTH_PORT ?? '';
    if (text === '') return;
    const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
    const { feed, telemetry } = this.#parts;
    try {
      this.#healthServer = await startHealthServer(process.env.HEADGATE_HOST ?? '0.0.0.0', port, {
        metrics: telemetry.metrics,
        version: () => feed.current()?.table.version ?? null,
        draining: () => this.#stopping,
      });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new Error(`the health server cannot listen; check HEADGATE_EMBEDDER_HEALTH_PORT ("${text}"): ${reason}`);
    }
    const address = this.#healthServer.address();
    telemetry.logger.info('health server listens', { port: typeof address === 'object' ? address?.port : port });
  }
}

/** How long work may go on after SIGTERM; `HEADGATE_DRAIN_TIMEOUT_SECONDS`. */
export function graceMs(env: NodeJS.ProcessEnv): number {
  const seconds = Number(env.HEADGATE_DRAIN_TIMEOUT_SECONDS || DEFAULT_GRACE_SECONDS);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : DEFAULT_GRACE_SECONDS * 1000;
}

/** By key: several models may stand on one endpoint. */
function endpointsOf(table: RoutingTable | undefined): ReadonlyMap<string, EndpointEntry> {
  const endpoints = new Map<string, EndpointEntry>();
  for (const model of table?.models.values() ?? []) for (const one of model.endpoints) endpoints.set(one.key, one);
  return endpoints;
}

async function within(ms: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((done) => {
    timer = setTimeout(done, ms);
  });
  await Promise.race([work, late]);
  clearTimeout(timer);
}
