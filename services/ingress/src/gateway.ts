import type { RoutingTable } from '@headgate/core/catalog';
import { GatewayError } from '@headgate/core/errors';
import type { HealthBoard } from '@headgate/core/health';
import type { KeyTable } from '@headgate/core/identity';
import { AffinityMemory } from '@headgate/core/routing';
import type { SnapshotFeed } from '@headgate/core/snapshot';
import type { Telemetry } from '@headgate/core/telemetry';
import { Authorizers, type UpstreamPools } from '@headgate/core/upstream';
import type { Exchange, ExchangeHost } from './exchange.ts';

export interface Current {
  readonly table: RoutingTable;
  readonly keys: KeyTable;
}

const RETRY_SOON_MS = 1_000;

/** What one ingress process has at hand for every request, and what it knows of itself. */
export class Gateway implements ExchangeHost {
  readonly feed: SnapshotFeed;
  readonly pools: UpstreamPools;
  readonly telemetry: Telemetry;
  readonly health: HealthBoard;
  readonly affinity = new AffinityMemory();
  readonly authorizers = new Authorizers();
  readonly #open = new Set<Exchange>();
  #draining = false;
  #idle: (() => void) | null = null;

  constructor(feed: SnapshotFeed, pools: UpstreamPools, telemetry: Telemetry, health: HealthBoard) {
    this.feed = feed;
    this.pools = pools;
    this.telemetry = telemetry;
    this.health = health;
    feed.onChange(() => {
      const table = feed.current()?.table;
      if (table) pools.retain([...table.providers.values()].map(({ baseUrl }) => baseUrl));
    });
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
}
