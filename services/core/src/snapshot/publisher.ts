import { createHash } from 'node:crypto';
import { clone, toBinary } from '@bufbuild/protobuf';
import { type ApiKey, ApiKeySchema } from '@headgate/proto/api_key';
import { type RoutingSnapshot, RoutingSnapshotSchema } from '@headgate/proto/snapshot';
import { ulid } from 'ulid';
import { LuaScript, type RedisClient, redisKeys } from '../redis/index.ts';

const PUBLISH_SNAPSHOT = new LuaScript(new URL('./publish-snapshot.lua', import.meta.url));
const SYNC_KEYS = new LuaScript(new URL('./sync-keys.lua', import.meta.url));

export interface Published {
  readonly version: number;
  readonly digest: string;
  /** False when Redis already held exactly this. */
  readonly changed: boolean;
}

export interface SyncedKeys {
  readonly version: number;
  readonly written: number;
  readonly removed: number;
}

/** Writes what the data plane reads. Safe to run in several processes: every step is one script. */
export class SnapshotPublisher {
  readonly #client: RedisClient;
  readonly #keys: ReturnType<typeof redisKeys>;
  #last: { readonly version: number; readonly digest: string } | null = null;

  constructor(client: RedisClient, prefix: string) {
    this.#client = client;
    this.#keys = redisKeys(prefix);
  }

  /** Publishes unless the snapshot that stands has the same digest. `nowMs` is since the epoch. */
  async publish(snapshot: RoutingSnapshot, nowMs: number): Promise<Published> {
    const digest = snapshotDigest(snapshot);
    const stamped = clone(RoutingSnapshotSchema, snapshot);
    stamped.publishedAtMs = BigInt(nowMs);
    const body = Buffer.from(toBinary(RoutingSnapshotSchema, stamped));
    const reply = await PUBLISH_SNAPSHOT.run(
      this.#client,
      [this.#keys.state],
      [digest, body, this.#lowestVersion(digest), this.#keys.changes],
    );
    const [version = 0, written = 0] = integers(reply);
    this.#last = { version, digest };
    return { version, digest, changed: written === 1 };
  }

  /** Makes the configured keys in Redis equal to these. */
  async syncConfiguredKeys(apiKeys: readonly ApiKey[]): Promise<SyncedKeys> {
    const entries = apiKeys.flatMap((key) => [key.id, Buffer.from(toBinary(ApiKeySchema, key))]);
    const { state, apiKeys: table, configuredKeyIds, changes } = this.#keys;
    const reply = await SYNC_KEYS.run(this.#client, [state, table, configuredKeyIds], [ulid(), changes, ...entries]);
    const [version = 0, written = 0, removed = 0] = integers(reply);
    return { version, written, removed };
  }

  /** False when Redis has lost what was published, as a fresh, flushed or failed-over one has. */
  async isPublished(): Promise<boolean> {
    const [digest, stamp] = await this.#client.hmget(this.#keys.state, 'snapshotDigest', 'keysStamp');
    return digest != null && stamp != null;
  }

  #lowestVersion(digest: string): number {
    if (this.#last === null) return 1;
    return this.#last.digest === digest ? this.#last.version : this.#last.version + 1;
  }
}

/** SHA-256 of everything but the time of publication, in hexadecimal. */
export function snapshotDigest(snapshot: RoutingSnapshot): string {
  const timeless = clone(RoutingSnapshotSchema, snapshot);
  timeless.publishedAtMs = 0n;
  return createHash('sha256').update(toBinary(RoutingSnapshotSchema, timeless)).digest('hex');
}

function integers(reply: unknown): number[] {
  return Array.isArray(reply) ? reply.map(Number) : [];
}
