import { DEFAULT_EMBEDDINGS, type RoutingTable } from '@headgate/core/catalog';
import { type EmbeddingRunner, type InlineRunner, MicroBatcher } from '@headgate/core/embeddings';
import { GatewayError } from '@headgate/core/errors';
import type { FileStore } from '@headgate/core/files';
import type { HealthBoard } from '@headgate/core/health';
import { type KeyTable, OidcVerifier, type Principal } from '@headgate/core/identity';
import type { Reports, UsageWriter } from '@headgate/core/ledger';
import { LearnedOutput, type RedisLimiter } from '@headgate/core/limits';
import { LateUsage } from '@headgate/core/relay';
import { AffinityMemory } from '@headgate/core/routing';
import { subjectsOfCaller } from '@headgate/core/serving';
import type { SnapshotFeed } from '@headgate/core/snapshot';
import type { Telemetry } from '@headgate/core/telemetry';
import { Authorizers, type UpstreamPools } from '@headgate/core/upstream';
import type { BatchDesk } from './batches/batch-routes.ts';
import type { Exchange, ExchangeHost } from './exchange.ts';
import { limitHeaders } from './limit-headers.ts';
import { OpenExchanges } from './open-exchanges.ts';

export interface Current {
  readonly table: RoutingTable;
  readonly keys: KeyTable;
}

/** What a gateway is put together from. */
export interface GatewayParts {
  readonly feed: SnapshotFeed;
  readonly pools: UpstreamPools;
  readonly telemetry: Telemetry;
  readonly health: HealthBoard;
  readonly limiter: RedisLimiter;
  readonly usage: UsageWriter;
  readonly reports: Reports;
  readonly files: FileStore;
  readonly batches: BatchDesk;
  /** Runs chunks of embeddings in this process. */
  readonly inlineEmbeddings: InlineRunner;
  /** Where large embeddings are run. */
  readonly embeddings: EmbeddingRunner;
}

const RETRY_SOON_MS = 1_000;

/** What one ingress process has at hand for every request, and what it knows of itself. */
export class Gateway implements ExchangeHost {
  readonly feed: SnapshotFeed;
  readonly pools: UpstreamPools;
  readonly telemetry: Telemetry;
  readonly health: HealthBoard;
  readonly limiter: RedisLimiter;
  readonly usage: UsageWriter;
  readonly reports: Reports;
  readonly files: FileStore;
  readonly batches: BatchDesk;
  readonly learnedOutput = new LearnedOutput();
  readonly affinity = new AffinityMemory();
  /** What requests used whose client did not stay to the end. */
  readonly lateUsage = new LateUsage();
  readonly authorizers = new Authorizers();
  /** Runs chunks of embeddings in this process. */
  readonly inlineEmbeddings: InlineRunner;
  readonly embeddings: EmbeddingRunner;
  /** Where small ones share calls, if the configuration says so. */
  readonly microBatches: MicroBatcher;
  #oidc: OidcVerifier;
  #issuers = '[]';
  readonly #open = new OpenExchanges();
  #draining = false;
  #idle: (() => void) | null = null;

  constructor(parts: GatewayParts) {
    const { feed, pools, telemetry, health, limiter, usage, reports, files, batches } = parts;
    this.feed = feed;
    this.pools = pools;
    this.telemetry = telemetry;
    this.health = health;
    this.limiter = limiter;
    this.usage = usage;
    this.reports = reports;
    this.files = files;
    this.batches = batches;
    this.inlineEmbeddings = parts.inlineEmbeddings;
    this.embeddings = parts.embeddings;
    this.microBatches = new MicroBatcher(
      this.embeddings,
      () => (feed.current()?.table.embeddings ?? DEFAULT_EMBEDDINGS).microBatch,
    );
    this.#oidc = new OidcVerifier([], telemetry.logger);
    feed.onChange(() => this.#changed());
  }

  /** Tells who holds an OIDC token. */
  get oidc(): OidcVerifier {
    return this.#oidc;
  }

  #changed(): void {
    const table = this.feed.current()?.table;
    if (!table) return;
    this.pools.retain([...table.providers.values()].map(({ baseUrl }) => baseUrl));
    // The same issuers keep their verifier, and with it what it remembers.
    const issuers = JSON.stringify(table.oidc);
    if (issuers === this.#issuers) return;
    this.#issuers = issuers;
    this.#oidc.close();
    this.#oidc = new OidcVerifier(table.oidc, this.telemetry.logger);
  }

  /** The snapshot in force. Throws a GatewayError (503) while none has ever been loaded. */
  current(): Current {
    const current = this.feed.current();
    if (current) return current;
    throw new GatewayError('service_unavailable', 'The gateway has no configuration yet.', {
      code: 'not_ready',
      retryAfterMs: RETRY_SOON_MS,
    });
  }

  get corsOrigins(): readonly string[] {
    return this.feed.current()?.table.server.corsOrigins ?? [];
  }

  limitHeadersOf(caller: Principal): readonly string[] {
    const table = this.feed.current()?.table;
    const subjects = table === undefined ? [] : subjectsOfCaller(table, caller);
    return subjects.length === 0 ? [] : limitHeaders(this.limiter.statusOf(subjects));
  }

  get draining(): boolean {
    return this.#draining;
  }

  get openRequests(): number {
    return this.#open.size;
  }

  opened(exchange: Exchange): void {
    this.#open.add(exchange);
  }

  closed(exchange: Exchange): void {
    this.#open.delete(exchange);
    if (this.#open.size === 0) this.#idle?.();
  }

  /** Resolves when every open request has been answered; answers from now on ask clients to close their connections. */
  drain(): Promise<void> {
    this.#draining = true;
    if (this.#open.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#idle = resolve;
    });
  }

  /** Ends what is still open with an error that lets clients ask another replica. */
  cutOpen(): void {
    const error = new GatewayError('service_unavailable', 'The gateway is shutting down: send the request again.', {
      code: 'shutting_down',
      retryAfterMs: RETRY_SOON_MS,
      shouldRetry: true,
    });
    for (const exchange of this.#open.all()) exchange.cut(error);
  }
}
