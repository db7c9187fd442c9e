import { type Dispatcher, Pool } from 'undici';

export interface UpstreamCall {
  /** Absolute URL. */
  readonly url: string;
  /** Flat name, value list. */
  readonly headers: readonly string[];
  readonly body: Buffer;
  readonly connectMs: number;
}

/**
 * Keep-alive connections to providers: one pool an origin and connect timeout. HTTP/1.1 and no pipelining: a stream must
 * not hold up another request, and HTTP/2 costs five times as much here (PERFORMANCE 1).
 */
export class UpstreamPools {
  readonly #pools = new Map<string, Pool>();
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
    let pool = this.#pools.get(key);
    if (!pool) {
      pool = new Pool(origin, {
        pipelining: 1,
        allowH2: false,
        connections: null,
        keepAliveTimeout: 30_000,
        connect: { timeout: connectMs, noDelay: true, keepAlive: true },
      });
      this.#pools.set(key, pool);
    }
    return pool;
  }

  /** Closes pools of origins that no provider uses any more; running requests go to their end. */
  retain(baseUrls: Iterable<string>): void {
    const origins = new Set([...baseUrls].map((url) => new URL(url).origin));
    for (const [key, pool] of this.#pools) {
      if (origins.has(key.slice(0, key.indexOf(' ')))) continue;
      this.#pools.delete(key);
      pool.close().catch(() => pool.destroy());
    }
  }

  async close(): Promise<void> {
    const pools = [...this.#pools.values()];
    this.#pools.clear();
    await Promise.all(pools.map((pool) => pool.destroy()));
  }
}
