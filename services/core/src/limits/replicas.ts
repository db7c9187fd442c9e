import { LuaScript, type RedisClient } from '../redis/index.ts';

const HEARTBEAT = new LuaScript(new URL('./heartbeat.lua', import.meta.url));

/** Who says nothing for so long is dead. */
const DEAD_MS = 3_500;
/** All others have heard of a new replica after this. */
const KNOWN_MS = 2_500;

/** How many replicas share the limits. */
export class Replicas {
  readonly #client: RedisClient;
  readonly #key: string;
  readonly #id: string;
  #count = 1;
  #since: number | null = null;

  constructor(client: RedisClient, key: string, id: string) {
    this.#client = client;
    this.#key = key;
    this.#id = id;
  }

  /** As last heard, this one included. */
  get count(): number {
    return this.#count;
  }

  /** When the others count this one, so that all shares together are one whole; `performance.now()`. */
  get knownSince(): number {
    return this.#since === null ? Number.POSITIVE_INFINITY : this.#since + KNOWN_MS;
  }

  async beat(): Promise<void> {
    const count = Number(await HEARTBEAT.run(this.#client, [this.#key], [this.#id, DEAD_MS]));
    this.#count = Math.max(1, count);
    // Alone there is nobody who has to hear of it.
    this.#since ??= count === 1 ? performance.now() - KNOWN_MS : performance.now();
  }

  async leave(): Promise<void> {
    await HEARTBEAT.run(this.#client, [this.#key], [this.#id, DEAD_MS, 'leave']);
  }
}
