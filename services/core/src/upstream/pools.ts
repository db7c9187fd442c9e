import { type Dispatcher, Pool } from 'undici';

export interface UpstreamCall {
  /** Absolute URL. */
  readonly url: string;
  /** Flat name, value list. */
  readonly headers: readonly string[];
  readonly body: Buffer;
  readonly connectMs: number;
}

/** Idle pools that are kept of origins that no provider names: callers choose regions with credentials of their own. */
const MOST_PASSING = 64;

interface KeptPool {
  readonly origin: string;
  readonly pool: Pool;
  /** Rises with every use of any pool; no clock, because it is set with every request. */
  usedAt: number;
}

/**
 * Keep-alive connections to providers: one pool an origin and connect timeout. HTTP/1.1 and no pipelining: a stream must
 * not hold up another request, and HTTP/2 costs five times as much here (PERFORMANCE 1).
 */
export class UpstreamPools {
  readonly #pools = new Map<string, KeptPool>();
  /** Origins of configured providers: their pools stay. */
  #configured: ReadonlySet<string> = new Set();
  #uses = 0;
  readonly #targets = new Map<string, { readonly origin: string; readonly path: string }>();

  /** Errors reach the handler, whatever they are; nothing is thrown. */
  dispatch(call: UpstreamCall, handler: Dispatcher.DispatchHandler): void {
    const target = this.#target(call.url);
    const options: Dispatcher.DispatchOptions = {
      path: target.path,
      method: 'POST',
      headers: call.headers as string[],
      body: call.body,
      // The relay keeps its own clocks: undici's would cut long answers.
      headersTimeout: 0,
      bodyTimeout: 0,
    };
    this.#pool(target.origin, call.connectMs).dispatch(options, handler);
  }

  #target(url: string): { readonly origin: string; readonly path: string } {
    let target = this.#targets.get(url);
    if (!target) {
      const parsed = new URL(url);
      target = { origin: parsed.origin, path: `${parsed.pathname}${parsed.search}` };
      if (this.#targets.size > 1_000) this.#targets.clear();
      this.#targets.set(url, target);
    }
    return target;
  }

  #pool(origin: string, connectMs: number): Pool {
    const key = `${origin} ${connectMs}`;
    let kept = this.#pools.get(key);
    if (!kept) {
      this.#makeRoom();
      const pool = new Pool(origin, {
        pipelining: 1,
        allowH2: false,
        connections: null,
        keepAliveTimeout: 30_000,
        connect: { timeout: connectMs, noDelay: true, keepAlive: true },
      });
      kept = { origin, pool, usedAt: 0 };
      this.#pools.set(key, kept);
    }
    kept.usedAt = ++this.#uses;
    return kept.pool;
  }

  /** Closes idle pools of passing origins, used longest ago first; what has requests is not idle, however many there are. */
  #makeRoom(): void {
    const passing = [...this.#pools].filter(([, { origin }]) => !this.#configured.has(origin));
    if (passing.length < MOST_PASSING) return;
    const idle = passing.filter(([, { pool }]) => pool.stats.size === 0).sort(([, a], [, b]) => a.usedAt - b.usedAt);
    for (const [key, { pool }] of idle.slice(0, passing.length - MOST_PASSING + 1)) this.#drop(key, pool);
  }

  /** Closes pools of origins that no provider uses any more; running requests go to their end. */
  retain(baseUrls: Iterable<string>): void {
    this.#configured = new Set([...baseUrls].map((url) => new URL(url).origin));
    for (const [key, { origin, pool }] of this.#pools) {
      if (!this.#configured.has(origin)) this.#drop(key, pool);
    }
  }

  #drop(key: string, pool: Pool): void {
    this.#pools.delete(key);
    pool.close().catch(() => pool.destroy());
  }

  /** Pools that are kept now. */
  get size(): number {
    return this.#pools.size;
  }

  async close(): Promise<void> {
    const pools = [...this.#pools.values()];
    this.#pools.clear();
    await Promise.all(pools.map(({ pool }) => pool.destroy()));
  }
}
