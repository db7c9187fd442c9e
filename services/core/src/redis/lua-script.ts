import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { RedisClient } from './client.ts';

/**
 * A Lua script from a `.lua` file beside the source that uses it. Runs by digest; a Redis that does not know it yet
 * (fresh, restarted, flushed, failed over) gets the text.
 */
export class LuaScript {
  readonly text: string;
  readonly #sha: string;

  /** `new LuaScript(new URL('./publish.lua', import.meta.url))` */
  constructor(file: URL) {
    this.text = readFileSync(file, 'utf8');
    this.#sha = createHash('sha1').update(this.text).digest('hex');
  }

  async run(
    client: RedisClient,
    keys: readonly string[],
    args: readonly (string | number | Buffer)[],
  ): Promise<unknown> {
    try {
      return await client.evalsha(this.#sha, keys.length, ...keys, ...args);
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
      return await client.eval(this.text, keys.length, ...keys, ...args);
    }
  }
}
