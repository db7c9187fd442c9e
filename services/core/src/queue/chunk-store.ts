import type { RedisClient, RedisKeys } from '../redis/index.ts';
import { LuaScript } from '../redis/index.ts';

const OPEN = new LuaScript(new URL('./open.lua', import.meta.url));
const BEGIN = new LuaScript(new URL('./begin.lua', import.meta.url));
const COMMIT = new LuaScript(new URL('./commit.lua', import.meta.url));
const CANCEL = new LuaScript(new URL('./cancel.lua', import.meta.url));

/** A chunk's result as it crosses Redis. */
export interface StoredResult {
  /** EmbeddingOutcome bytes. */
  readonly head: Buffer;
  /** The entries of the answer, ready to be sent; empty for a failure. */
  readonly data: Buffer;
}

/** `done`: the result can be read. `gone`: read, withdrawn, its time is over, or Redis has forgotten it. */
export type ChunkState = 'open' | 'done' | 'gone';

/**
 * The records of queued chunks in Redis. Each is opened once, under an id of its own; begun as often as workers take it,
 * each time with a higher epoch; and committed at most once, by whoever began last.
 */
export class ChunkStore {
  readonly #client: RedisClient;
  readonly #keys: RedisKeys['embeds'];

  constructor(client: RedisClient, keys: RedisKeys) {
    this.#client = client;
    this.#keys = keys.embeds;
  }

  /** `ttlMs`: unless it is renewed, nobody waits for them after that. */
  async open(ids: readonly string[], ttlMs: number): Promise<void> {
    await Promise.all(ids.map((id) => OPEN.run(this.#client, [this.#keys.chunk(id)], [Math.ceil(ttlMs)])));
  }

  /** Whoever waits for them is alive: they stay for another `ttlMs`. */
  async renew(ids: readonly string[], ttlMs: number): Promise<void> {
    await Promise.all(ids.map((id) => this.#client.pexpire(this.#keys.chunk(id), Math.ceil(ttlMs))));
  }

  /** An epoch to commit with, or why there is nothing to do. */
  async begin(id: string): Promise<number | 'done' | 'gone'> {
    const epoch = Number(await BEGIN.run(this.#client, [this.#keys.chunk(id)], []));
    if (epoch > 0) return epoch;
    return epoch === 0 ? 'done' : 'gone';
  }

  /** Writes the result and wakes `waiter`. False: somebody began later, or the chunk is done or gone; nothing was written. */
  async commit(id: string, epoch: number, result: StoredResult, waiter: string, keepMs: number): Promise<boolean> {
    const args = [epoch, result.head, result.data, keepMs, this.#keys.done(waiter), id];
    return (await COMMIT.run(this.#client, [this.#keys.chunk(id)], args)) === 1;
  }

  /** After `open` (it was withdrawn just now) and `gone` nobody can commit it any more. */
  async cancel(id: string): Promise<ChunkState> {
    const answer = await CANCEL.run(this.#client, [this.#keys.chunk(id)], [this.#keys.cancelled, id]);
    if (answer === 1) return 'open';
    return answer === 0 ? 'done' : 'gone';
  }

  /** Of each, in order. */
  async states(ids: readonly string[]): Promise<ChunkState[]> {
    return await Promise.all(
      ids.map(async (id) => {
        const key = this.#keys.chunk(id);
        // Asked in this order: a chunk that is committed and read between the two is gone, not open.
        const [done, known] = await Promise.all([this.#client.hexists(key, 'head'), this.#client.exists(key)]);
        if (done === 1) return 'done';
        return known === 1 ? 'open' : 'gone';
      }),
    );
  }

  /** Null where there is none. */
  async read(id: string): Promise<StoredResult | null> {
    const [head, data] = await this.#client.hmgetBuffer(this.#keys.chunk(id), 'head', 'data');
    return head && data ? { head, data } : null;
  }

  /** Forgets what has been read. */
  async drop(id: string): Promise<void> {
    await this.#client.unlink(this.#keys.chunk(id));
  }
}
