import type { RedisClient, RedisKeys } from '../redis/index.ts';
import { BLOCK_BYTES, type Bodies, type BodyWriter } from './bodies.ts';

/** So long at most an upload may take; what it has written ends by itself after that, whatever happens to its process. */
const UNFINISHED_MS = 24 * 3_600_000;
/** In one pipeline. */
const KEYS_AT_ONCE = 256;

/** Bodies in Redis: a key a block, all of a body under one hash tag. */
export class RedisBodies implements Bodies {
  readonly #client: RedisClient;
  readonly #keys: RedisKeys;

  constructor(client: RedisClient, keys: RedisKeys) {
    this.#client = client;
    this.#keys = keys;
  }

  open(name: string): BodyWriter {
    let blocks = 0;
    return {
      append: async (block) => {
        const key = this.#keys.files.block(name, blocks);
        blocks += 1;
        await this.#client.set(key, block, 'PX', UNFINISHED_MS);
      },
      finish: (untilMs) => this.#keep(name, blocks, untilMs),
    };
  }

  async #keep(name: string, blocks: number, untilMs: number): Promise<void> {
    for (const keys of this.#blockKeys(name, blocks)) {
      const kept = await Promise.all(keys.map((key) => this.#client.pexpireat(key, untilMs)));
      if (kept.includes(0)) throw new Error('Redis has lost a part of what was uploaded');
    }
  }

  async *read(name: string, bytes: number, from: number): AsyncIterable<Buffer> {
    const blocks = Math.ceil(bytes / BLOCK_BYTES);
    const first = Math.floor(from / BLOCK_BYTES);
    let next = first < blocks ? this.#block(name, bytes, first) : null;
    for (let i = first; i < blocks && next !== null; i++) {
      const block: Buffer = await next;
      // While this one is taken, the next one is on its way.
      next = i + 1 < blocks ? this.#block(name, bytes, i + 1) : null;
      next?.catch(() => undefined);
      yield i === first ? block.subarray(from - first * BLOCK_BYTES) : block;
    }
  }

  async #block(name: string, bytes: number, index: number): Promise<Buffer> {
    const block = await this.#client.getBuffer(this.#keys.files.block(name, index));
    const expected = Math.min(BLOCK_BYTES, bytes - index * BLOCK_BYTES);
    if (block?.length !== expected) throw new Error('a part of the file is no longer there');
    return block;
  }

  async remove(name: string, bytes: number): Promise<void> {
    for (const keys of this.#blockKeys(name, Math.ceil(bytes / BLOCK_BYTES))) await this.#client.unlink(...keys);
  }

  *#blockKeys(name: string, blocks: number): Iterable<string[]> {
    for (let start = 0; start < blocks; start += KEYS_AT_ONCE) {
      const count = Math.min(KEYS_AT_ONCE, blocks - start);
      yield Array.from({ length: count }, (_, i) => this.#keys.files.block(name, start + i));
    }
  }
}
