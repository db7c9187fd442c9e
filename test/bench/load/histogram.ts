const FINE_US = 10;
const FINE_BUCKETS = 100_000;
const COARSE_US = 1000;
const COARSE_BUCKETS = 60_000;

/** Latencies in microseconds: buckets of 10 us up to one second, of 1 ms up to one minute. */
export class Histogram {
  readonly #fine = new Uint32Array(FINE_BUCKETS);
  readonly #coarse = new Uint32Array(COARSE_BUCKETS);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(us: number): void {
    this.#count++;
    const value = Math.max(0, us);
    if (value < FINE_US * FINE_BUCKETS) bump(this.#fine, Math.trunc(value / FINE_US));
    else bump(this.#coarse, Math.min(COARSE_BUCKETS - 1, Math.trunc(value / COARSE_US)));
  }

  clear(): void {
    this.#fine.fill(0);
    this.#coarse.fill(0);
    this.#count = 0;
  }

  /** The quantile `q` of 0 to 1, rounded down to its bucket; undefined while empty. */
  quantile(q: number): number | undefined {
    if (this.#count === 0) return undefined;
    const rank = this.#count * q;
    let seen = 0;
    for (const [buckets, width] of [[this.#fine, FINE_US] as const, [this.#coarse, COARSE_US] as const]) {
      for (const [index, count] of buckets.entries()) {
        seen += count;
        if (seen > rank) return index * width;
      }
    }
    return undefined;
  }

  /** p50, p90 and p99 under names with the given prefix: `p50_us` or `delay_p50_us`; empty while empty. */
  quantiles(prefix = ''): Record<string, number> {
    const found: Record<string, number> = {};
    for (const percent of [50, 90, 99]) {
      const value = this.quantile(percent / 100);
      if (value !== undefined) found[`${prefix}p${percent}_us`] = value;
    }
    return found;
  }
}

function bump(buckets: Uint32Array, index: number): void {
  buckets[index] = (buckets[index] ?? 0) + 1;
}

/** CLOCK_MONOTONIC in microseconds: one clock for all processes of a host. */
export function nowUs(): number {
  const now = process.hrtime();
  return now[0] * 1e6 + now[1] / 1000;
}
