import { createHash } from 'node:crypto';
import { ulid } from 'ulid';
import { GatewayError } from '../errors/index.ts';
import { LuaScript, type RedisClient, type RedisKeys } from '../redis/index.ts';
import { newFields, readBatch, readShards, writeShards } from './batch-record.ts';
import {
  type Batch,
  type BatchDraft,
  type BatchProblem,
  type BatchStatus,
  isEnded,
  type LineResult,
  type Shard,
} from './contract.ts';
import type { ValidInput } from './validation.ts';

const TRANSITION = new LuaScript(new URL('./transition.lua', import.meta.url));
const BEGIN_SHARD = new LuaScript(new URL('./begin-shard.lua', import.meta.url));
const COMMIT_LINE = new LuaScript(new URL('./commit-line.lua', import.meta.url));
const CLAIM_IDEMPOTENCY = new LuaScript(new URL('./claim-idempotency.lua', import.meta.url));

/** OpenAI's only completion window. */
const WINDOW_S = 24 * 3_600;
/** A batch is shown for so long after its end, and what was not finished in time cannot stay for ever. */
const KEEP_S = 30 * 24 * 3_600;
const LONGEST_S = WINDOW_S + KEEP_S;
const IDEMPOTENCY_S = 48 * 3_600;
/** What stands before a result: which file it belongs to. */
const OUTPUT = Buffer.from('o');
const ERROR = Buffer.from('e');
/** Of results, read at one time; one may be larger. */
const READ_BYTES = 4 * 1024 * 1024;

/** What an idempotency key says of a request: the same body again is the same batch. */
export interface Idempotency {
  readonly key: string;
  /** Of the request's body. */
  readonly digest: string;
}

export interface BatchPage {
  readonly batches: readonly Batch[];
  readonly hasMore: boolean;
}

/** A line of the output file, or of the error file, without its end. */
export interface StoredLine {
  /** Of the line in the input. */
  readonly number: number;
  readonly ok: boolean;
  readonly line: Buffer;
}

/** A worker's right to a shard. */
export interface ShardClaim {
  readonly epoch: string;
  /** Numbers of the lines that have a result. */
  readonly done: ReadonlySet<number>;
}

export type Commit = 'written' | 'refused' | 'last';

/**
 * Batches in Redis. Every step is one script or can be done again, so that whoever does it may die at any point. Rejects
 * with the errors of its client, and with GatewayErrors where it says so.
 */
export class BatchStore {
  readonly #client: RedisClient;
  readonly #keys: RedisKeys['batches'];

  /** `client`: one whose commands may take a while, as results are read and written by it. */
  constructor(client: RedisClient, keys: RedisKeys) {
    this.#client = client;
    this.#keys = keys.batches;
  }

  /**
   * Returns the new batch, or the one that the idempotency key stands for. Rejects with 422 when that was another request's.
   * `add` puts its first job into the queue, once however often it is called: a batch is accepted when it has one.
   */
  async create(
    draft: BatchDraft,
    idempotency: Idempotency | null,
    add: (id: string) => Promise<void>,
  ): Promise<{ readonly batch: Batch; readonly isNew: boolean }> {
    let id = `batch_${ulid()}`;
    if (idempotency !== null) {
      id = await this.#claim(draft.owner, idempotency, id);
      const existing = await this.#existing(draft.owner, id, add);
      if (existing !== null) return { batch: existing, isNew: false };
    }
    const [seconds, micros] = (await this.#client.time()).map(Number) as [number, number];
    const createdAt = seconds;
    const fields = newFields(id, draft, createdAt, createdAt + WINDOW_S);
    await this.#client.hset(this.#keys.batch(id), fields);
    await this.#client.expire(this.#keys.batch(id), LONGEST_S);
    await this.#client.zadd(this.#keys.open, createdAt, id);
    // In microseconds: the seconds that clients see do not tell one after the other apart.
    await this.#client.zadd(this.#keys.owned(draft.owner), seconds * 1e6 + micros, id);
    await this.#client.expire(this.#keys.owned(draft.owner), LONGEST_S);
    await add(id);
    const batch = readBatch(fields);
    if (batch === null) throw new Error('a new batch cannot be read');
    return { batch, isNew: true };
  }

  /** The batch that this idempotency key stands for; null where there is none yet. Rejects and adds as `create`. */
  async repeated(
    owner: string,
    { key, digest }: Idempotency,
    add: (id: string) => Promise<void>,
  ): Promise<Batch | null> {
    const [first, id] = await this.#client.hmget(this.#keys.idempotency(owner, sha256(key)), 'digest', 'id');
    if (!first || !id) return null;
    if (first !== digest) throw keyReused();
    return this.#existing(owner, id, add);
  }

  async #existing(owner: string, id: string, add: (id: string) => Promise<void>): Promise<Batch | null> {
    const existing = await this.get(owner, id);
    // The first try may have ended before its job was added; adding it twice is adding it once.
    if (existing?.status === 'validating') await add(id);
    return existing;
  }

  async #claim(owner: string, { key, digest }: Idempotency, id: string): Promise<string> {
    const args = [digest, id, IDEMPOTENCY_S];
    const reply = await CLAIM_IDEMPOTENCY.run(this.#client, [this.#keys.idempotency(owner, sha256(key))], args);
    const [first, known] = reply as [string, string];
    if (first === digest) return known;
    throw keyReused();
  }

  /** Null: this owner has no such batch. */
  async get(owner: string, id: string): Promise<Batch | null> {
    const batch = await this.find(id);
    return batch?.owner === owner ? batch : null;
  }

  /** Whoever has it; for workers. */
  async find(id: string): Promise<Batch | null> {
    return readBatch(await this.#client.hgetall(this.#keys.batch(id)));
  }

  /** Newest first. Rejects with 400 when `after` is not one of the list. */
  async list(owner: string, { after, limit }: { readonly after?: string; readonly limit: number }): Promise<BatchPage> {
    const key = this.#keys.owned(owner);
    let from = 0;
    if (after !== undefined) {
      const rank = await this.#client.zrevrank(key, after);
      if (rank === null) {
        throw new GatewayError('invalid_request_error', "Invalid value for 'after': there is no such batch.", {
          param: 'after',
          code: 'invalid_value',
        });
      }
      from = rank + 1;
    }
    const ids = await this.#client.zrevrange(key, from, from + limit);
    const found = await Promise.all(ids.slice(0, limit).map((id) => this.get(owner, id)));
    const gone = ids.filter((_, index) => found[index] === null && index < limit);
    if (gone.length > 0) await this.#client.zrem(key, ...gone);
    return { batches: found.filter((batch) => batch !== null), hasMore: ids.length > limit };
  }

  /** Batches of this owner that have not ended. */
  async countOpen(owner: string): Promise<number> {
    const { batches } = await this.list(owner, { limit: 1_000 });
    return batches.filter(({ status }) => !isEnded(status)).length;
  }

  /** The caller's facts as they were when the batch was made; null where only its owner's id was kept. */
  async principal(id: string): Promise<string | null> {
    return this.#client.hget(this.#keys.batch(id), 'principal');
  }

  /** The input is well: its shards can be worked through. False: it is not to be started any more. */
  async accept(id: string, { shards, total, model }: ValidInput): Promise<boolean> {
    const fields = ['total', String(total), 'shards', writeShards(shards), ...(model === null ? [] : ['model', model])];
    return this.#move(id, ['validating'], 'in_progress', 'inProgressAt', 0, fields);
  }

  async shards(id: string): Promise<readonly Shard[]> {
    return readShards((await this.#client.hget(this.#keys.batch(id), 'shards')) ?? '');
  }

  /** Its input is wrong, or it has no files: it ends, whatever it was on the way to, with nothing but what is wrong. */
  async reject(id: string, problems: readonly BatchProblem[]): Promise<void> {
    const shards = await this.shards(id);
    const from = ['validating', 'in_progress', 'finalizing', 'cancelling'] as const;
    await this.#move(id, from, 'failed', 'failedAt', KEEP_S, ['problems', JSON.stringify(problems)]);
    await this.#over(id, shards);
  }

  /** It cannot go on: told before its files are made of what is done, with which it ends as failed. */
  async doom(id: string, problems: readonly BatchProblem[]): Promise<void> {
    await this.#move(id, ['in_progress'], 'in_progress', '', 0, ['problems', JSON.stringify(problems)]);
  }

  /** False: it cannot be cancelled any more. */
  cancel(id: string): Promise<boolean> {
    return this.#move(id, ['validating', 'in_progress'], 'cancelling', 'cancellingAt', 0, []);
  }

  /** From now on no line gets a result: its files can be made. The status that it is in; null where it has ended, or is gone. */
  async seal(id: string): Promise<BatchStatus | null> {
    const [done, status] = await this.#transition(id, ['in_progress'], 'in_progress', '', 0, ['sealed', '1']);
    if (done) return 'in_progress';
    const others: readonly string[] = ['finalizing', 'cancelling'];
    if (!others.includes(status)) return null;
    await this.#client.hset(this.#keys.batch(id), 'sealed', '1');
    return status as BatchStatus;
  }

  /** Its files are made: it ends as what it was on the way to. */
  async end(
    id: string,
    to: 'completed' | 'expired' | 'cancelled' | 'failed',
    files: { readonly outputFileId: string | null; readonly errorFileId: string | null },
  ): Promise<void> {
    const from = {
      completed: 'finalizing',
      expired: 'in_progress',
      failed: 'in_progress',
      cancelled: 'cancelling',
    } as const;
    const shards = await this.shards(id);
    const fields = Object.entries(files).flatMap(([name, file]) => (file === null ? [] : [name, file]));
    await this.#move(id, [from[to]], to, `${to}At`, KEEP_S, fields);
    await this.#over(id, shards);
  }

  /** Nobody has to look after it any more, and its results are in its files, or for nobody. */
  async #over(id: string, shards: readonly Shard[]): Promise<void> {
    await this.#client.zrem(this.#keys.open, id);
    const results = shards.map(({ number }) => this.#keys.shard(id, number));
    for (let at = 0; at < results.length; at += 100) await this.#client.unlink(...results.slice(at, at + 100));
  }

  /** Null: nothing is to be done there. */
  async begin(id: string, shard: number): Promise<ShardClaim | null> {
    const keys = [this.#keys.batch(id), this.#keys.shard(id, shard)];
    const reply = await BEGIN_SHARD.run(this.#client, keys, [LONGEST_S]);
    const [epoch, , lines] = reply as [number, string, string[]];
    return epoch === 0 ? null : { epoch: String(epoch), done: new Set(lines.map(Number)) };
  }

  /** Whether the shard is still to be worked on, and by the worker with this claim. */
  async holds(id: string, shard: number, { epoch }: ShardClaim): Promise<boolean> {
    const [[status, sealed], current] = await Promise.all([
      this.#client.hmget(this.#keys.batch(id), 'status', 'sealed'),
      this.#client.hget(this.#keys.shard(id, shard), 'epoch'),
    ]);
    return status === 'in_progress' && !sealed && current === epoch;
  }

  /** Writes down how a line ended. `status` is the batch's. */
  async commit(
    id: string,
    shard: number,
    { epoch }: ShardClaim,
    line: number,
    { ok, line: written, usage }: LineResult,
  ): Promise<{ readonly commit: Commit; readonly status: string }> {
    const keys = [this.#keys.batch(id), this.#keys.shard(id, shard)];
    const tokens = [usage.inputTokens, usage.cachedTokens, usage.outputTokens, usage.reasoningTokens];
    const reply = await COMMIT_LINE.run(this.#client, keys, [
      epoch,
      line,
      Buffer.concat([ok ? OUTPUT : ERROR, written]),
      ...tokens,
    ]);
    const [outcome, status] = reply as [number, string];
    return { commit: outcome === 2 ? 'last' : outcome === 1 ? 'written' : 'refused', status };
  }

  /** Numbers of a shard's lines that have a result, in their order. */
  async lines(id: string, shard: number): Promise<readonly number[]> {
    const fields = await this.#client.hkeys(this.#keys.shard(id, shard));
    const lines = fields.filter((field) => field !== 'epoch').map(Number);
    return lines.sort((a, b) => a - b);
  }

  /** Results of some lines of a shard, in that order; a few megabytes of them are held at a time. `ok`: for the output file. */
  async *results(id: string, shard: number, lines: readonly number[]): AsyncGenerator<StoredLine> {
    const key = this.#keys.shard(id, shard);
    const sizes = await Promise.all(lines.map((line) => this.#client.hstrlen(key, String(line))));
    for (let at = 0; at < lines.length; ) {
      const begin = at;
      let bytes = sizes[at++] ?? 0;
      while (at < lines.length && bytes + (sizes[at] ?? 0) <= READ_BYTES) bytes += sizes[at++] ?? 0;
      const some = lines.slice(begin, at);
      const values = await this.#client.hmgetBuffer(key, ...some.map(String));
      for (const [i, value] of values.entries()) {
        const line = some[i];
        if (line === undefined || value === null) continue;
        yield { number: line, ok: value[0] === OUTPUT[0], line: value.subarray(1) };
      }
    }
  }

  /** Ids of those that have not ended, oldest first. */
  open(): Promise<string[]> {
    return this.#client.zrange(this.#keys.open, '0', '-1');
  }

  /** It is gone, or has ended: nobody has to look after it. */
  async forget(id: string): Promise<void> {
    await this.#client.zrem(this.#keys.open, id);
  }

  /** Seconds since the epoch, by the clock of Redis. */
  async now(): Promise<number> {
    const [seconds] = await this.#client.time();
    return Number(seconds);
  }

  async #move(
    id: string,
    from: readonly BatchStatus[],
    to: BatchStatus,
    at: string,
    keepS: number,
    fields: readonly string[],
  ): Promise<boolean> {
    const [done] = await this.#transition(id, from, to, at, keepS, fields);
    return done;
  }

  async #transition(
    id: string,
    from: readonly BatchStatus[],
    to: BatchStatus,
    at: string,
    keepS: number,
    fields: readonly string[],
  ): Promise<readonly [boolean, string]> {
    const reply = await TRANSITION.run(
      this.#client,
      [this.#keys.batch(id)],
      [from.join(','), to, at, keepS, ...fields],
    );
    const [done, status] = reply as [number, string];
    return [done === 1, status];
  }
}

const keyReused = (): GatewayError =>
  new GatewayError(
    'unprocessable_entity',
    'This idempotency key was used for another request. Use a new key, or repeat that request as it was.',
    { code: 'idempotency_key_reused', param: 'idempotency-key' },
  );

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
