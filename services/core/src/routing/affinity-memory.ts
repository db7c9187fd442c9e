const MOST_PREFIXES = 10_000;

interface Served {
  readonly endpointKey: string;
  /** Epoch milliseconds. */
  readonly until: number;
}

/** Which endpoint served a prompt's prefix last, for as long as its provider keeps the prompt cached. One process's own. */
export class AffinityMemory {
  readonly #most: number;
  /** The one used last stands last. */
  readonly #served = new Map<string, Served>();

  constructor(most = MOST_PREFIXES) {
    this.#most = most;
  }

  get size(): number {
    return this.#served.size;
  }

  /** Key of the endpoint that has the prefix cached, as far as is known. `now` in epoch milliseconds, as all times here. */
  find(modelId: string, prefix: number, now: number): string | null {
    const name = nameOf(modelId, prefix);
    const served = this.#served.get(name);
    if (served === undefined) return null;
    if (served.until > now) return served.endpointKey;
    this.#served.delete(name);
    return null;
  }

  /** An endpoint has answered: its provider keeps the prefix for `cacheMs` (`ProviderEntry.promptCacheMs`), 0: it does not. */
  remember(modelId: string, prefix: number, endpointKey: string, cacheMs: number, now: number): void {
    const name = nameOf(modelId, prefix);
    this.#served.delete(name);
    if (cacheMs <= 0) return;
    this.#served.set(name, { endpointKey, until: now + cacheMs });
    if (this.#served.size <= this.#most) return;
    for (const oldest of this.#served.keys()) {
      this.#served.delete(oldest);
      break;
    }
  }
}

/** Prefixes are the same text for every model; caches are not. */
const nameOf = (modelId: string, prefix: number): string => `${prefix} ${modelId}`;
