import type { RedisClient, RedisKeys } from '../redis/index.ts';
import { LuaScript } from '../redis/index.ts';

const EMBEDDERS = new LuaScript(new URL('./embedders.lua', import.meta.url));
/** One that says nothing for so long is dead. */
export const DEAD_AFTER_MS = 3_000;
const EVERY_MS = 1_000;

/** What an embedder says each second, so that others know that it lives. */
export class Heartbeat {
  readonly #client: RedisClient;
  readonly #key: string;
  readonly #id: string;
  #timer: NodeJS.Timeout | null = null;
  #count: number | null = null;

  /** `id`: unique to the process. */
  constructor(client: RedisClient, keys: RedisKeys, id: string) {
    this.#client = client;
    this.#key = keys.embeds.embedders;
    this.#id = id;
  }

  /** Embedders that live, as of the last beat; null while Redis does not answer. */
  get live(): number | null {
    return this.#count;
  }

  start(): void {
    void this.#beat('beat');
    this.#timer = setInterval(() => void this.#beat('beat'), EVERY_MS);
  }

  /** Nobody counts on this embedder any more. */
  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    await this.#beat('leave');
  }

  async #beat(what: 'beat' | 'leave'): Promise<void> {
    try {
      this.#count = Number(await EMBEDDERS.run(this.#client, [this.#key], [DEAD_AFTER_MS, what, this.#id]));
    } catch {
      // Whether Redis is there is told by the connection.
      this.#count = null;
    }
  }
}

/** How many embedders live. */
export async function countEmbedders(client: RedisClient, keys: RedisKeys): Promise<number> {
  return Number(await EMBEDDERS.run(client, [keys.embeds.embedders], [DEAD_AFTER_MS, 'count', '']));
}
