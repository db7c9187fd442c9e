import { LuaScript, type RedisClient, type RedisKeys } from '../redis/index.ts';
import type { FileObject, FilePurpose, FileQuery } from './contract.ts';

const BEGIN = new LuaScript(new URL('./begin-upload.lua', import.meta.url));
const RESERVE = new LuaScript(new URL('./reserve.lua', import.meta.url));
const FINISH = new LuaScript(new URL('./finish-upload.lua', import.meta.url));
const DROP = new LuaScript(new URL('./drop-upload.lua', import.meta.url));
const REMOVE = new LuaScript(new URL('./remove-file.lua', import.meta.url));
const PURGE = new LuaScript(new URL('./purge.lua', import.meta.url));
const LIST = new LuaScript(new URL('./list.lua', import.meta.url));

const PURGED_AT_ONCE = 500;
/** Every owner that has files is looked at so often, due or not. */
const LOOK_AGAIN_MS = 3_600_000;

/** Milliseconds. */
export interface FileTiming {
  /** An upload of which nothing is heard for so long has ended. */
  readonly uploadIdleMs: number;
  /** Bodies that could not be removed are tried again after so long. */
  readonly retryMs: number;
}

export const USUAL_TIMING: FileTiming = { uploadIdleMs: 15 * 60_000, retryMs: 60_000 };

/** What is known of a file, and the name of its body. */
export interface FileFacts extends FileObject {
  readonly body: string;
}

/** A body that nobody can see any more. */
export interface Garbage {
  readonly body: string;
  readonly bytes: number;
  readonly finished: boolean;
}

export interface NewFile {
  readonly id: string;
  readonly filename: string;
  readonly purpose: FilePurpose;
  readonly expiresAfterS: number;
}

/**
 * Who has which files, and how much of its room each owner has used: hashes and sorted sets in Redis, under one hash tag
 * an owner, changed by scripts only, so that sums are exact whoever uploads, deletes or dies at the same time.
 */
export class FileIndex {
  readonly #client: RedisClient;
  readonly #keys: RedisKeys['files'];
  readonly #timing: FileTiming;

  constructor(client: RedisClient, keys: RedisKeys, timing: FileTiming) {
    this.#client = client;
    this.#keys = keys.files;
    this.#timing = timing;
  }

  /** False: the owner has as many files as it may. */
  async begin(owner: string, body: string, maxFiles: number): Promise<boolean> {
    const { sums, uploads, due } = this.#keys.ofOwner(owner);
    const begun = await BEGIN.run(this.#client, [sums, uploads, due], [body, maxFiles, this.#timing.uploadIdleMs]);
    // After the upload, not before: whoever sweeps forgets owners that have nothing.
    await this.#lookAt(owner, Date.now() + this.#timing.uploadIdleMs);
    return begun === 1;
  }

  async reserve(owner: string, body: string, bytes: number, maxBytes: number): Promise<'reserved' | 'full' | 'gone'> {
    const { sums, uploads, due } = this.#keys.ofOwner(owner);
    const reply = await RESERVE.run(
      this.#client,
      [sums, uploads, due],
      [body, bytes, maxBytes, this.#timing.uploadIdleMs],
    );
    return reply === 'reserved' || reply === 'full' ? reply : 'gone';
  }

  /** Null: the upload has ended before. `made` is false where there was a file of that id; the body is garbage then. */
  async finish(owner: string, body: string, file: NewFile): Promise<{ made: boolean; facts: FileFacts } | null> {
    const { sums, uploads, due, garbage, facts, order } = this.#keys.ofOwner(owner);
    const reply = await FINISH.run(
      this.#client,
      [sums, uploads, due, garbage, facts, order(), order(file.purpose)],
      [body, file.id, file.filename, file.purpose, file.expiresAfterS],
    );
    const [how, json] = Array.isArray(reply) ? reply : [];
    if (typeof json !== 'string') return null;
    await this.#lookAt(owner, Date.now() + file.expiresAfterS * 1000);
    return { made: how === 'made', facts: readFacts(json) };
  }

  /** False: it has ended before. Its body is garbage. */
  async drop(owner: string, body: string): Promise<boolean> {
    const { sums, uploads, due, garbage } = this.#keys.ofOwner(owner);
    return (await DROP.run(this.#client, [sums, uploads, due, garbage], [body])) === 1;
  }

  async get(owner: string, id: string): Promise<FileFacts | null> {
    const [json, [seconds]] = await Promise.all([
      this.#client.hget(this.#keys.ofOwner(owner).facts, id),
      this.#client.time(),
    ]);
    if (json === null) return null;
    const facts = readFacts(json);
    return facts.expiresAt > Number(seconds) ? facts : null;
  }

  /** Null: `after` is not in the list. */
  async list(owner: string, query: FileQuery): Promise<{ files: FileFacts[]; hasMore: boolean } | null> {
    const { purged } = await this.#purge(owner);
    if (purged > 0) await this.#lookAt(owner, Date.now());
    const { order, facts } = this.#keys.ofOwner(owner);
    const reply = await LIST.run(
      this.#client,
      [order(query.purpose), facts],
      [query.after ?? '', query.limit, query.order],
    );
    if (!Array.isArray(reply)) return null;
    const [more, ...files] = reply;
    return { files: files.filter((json) => typeof json === 'string').map(readFacts), hasMore: more === 1 };
  }

  /** What it was; its body is garbage. */
  async remove(owner: string, id: string): Promise<FileFacts | null> {
    const { sums, due, garbage, facts, order } = this.#keys.ofOwner(owner);
    const json = await REMOVE.run(this.#client, [sums, due, garbage, facts, order(), order('')], [id]);
    return typeof json === 'string' ? readFacts(json) : null;
  }

  /** Makes what is due disappear. `next` is when something else is due, milliseconds since the epoch; 0: there is nothing. */
  async #purge(owner: string): Promise<{ readonly purged: number; readonly next: number; readonly garbage: number }> {
    const { sums, uploads, due, garbage, facts, order } = this.#keys.ofOwner(owner);
    const keys = [sums, uploads, due, garbage, facts, order(), order('')];
    for (let total = 0; ; ) {
      const reply = await PURGE.run(this.#client, keys, [PURGED_AT_ONCE]);
      const [purged = 0, next = 0, removable = 0] = Array.isArray(reply) ? reply.map(Number) : [];
      total += purged;
      if (purged < PURGED_AT_ONCE) return { purged: total, next, garbage: removable };
    }
  }

  async garbage(owner: string): Promise<Garbage[]> {
    const all = await this.#client.hgetall(this.#keys.ofOwner(owner).garbage);
    return Object.entries(all).map(([body, value]) => {
      const [bytes, finished] = value.split(':');
      return { body, bytes: Number(bytes), finished: finished === '1' };
    });
  }

  async forgetGarbage(owner: string, body: string): Promise<void> {
    await this.#client.hdel(this.#keys.ofOwner(owner).garbage, body);
  }

  /** Owners that are to be looked at. */
  async dueOwners(most: number): Promise<string[]> {
    return await this.#client.zrangebyscore(this.#keys.owners, '-inf', Date.now(), 'LIMIT', 0, most);
  }

  /**
   * Purges an owner that was due, and notes when it is due again. It is taken from the list first: what comes to it from
   * here on is either seen by the purge or puts it there again.
   */
  async visit(owner: string): Promise<void> {
    await this.#client.zrem(this.#keys.owners, owner);
    const { next, garbage } = await this.#purge(owner);
    const now = Date.now();
    if (garbage > 0) await this.#lookAt(owner, now + this.#timing.retryMs);
    else if (next > 0) await this.#lookAt(owner, Math.min(next, now + LOOK_AGAIN_MS));
  }

  /** Something of the owner could not be removed: whoever sweeps tries again. */
  async retryLater(owner: string): Promise<void> {
    await this.#lookAt(owner, Date.now() + this.#timing.retryMs);
  }

  /** Has the owner looked at by whoever sweeps, at the latest then. */
  async #lookAt(owner: string, atMs: number): Promise<void> {
    await this.#client.zadd(this.#keys.owners, 'LT', atMs, owner);
  }
}

function readFacts(json: string): FileFacts {
  return JSON.parse(json) as FileFacts;
}
