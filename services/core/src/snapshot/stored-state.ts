import { fromBinary } from '@bufbuild/protobuf';
import { type ApiKey, ApiKeySchema } from '@headgate/proto/api_key';
import { type RoutingSnapshot, RoutingSnapshotSchema } from '@headgate/proto/snapshot';
import type { RedisClient, RedisKeys } from '../redis/index.ts';

/** What tells one stored state from another, cheap to ask for; null where nothing is stored. */
export interface StoredVersions {
  readonly snapshotDigest: string | null;
  readonly keysStamp: string | null;
}

export interface StoredSnapshot {
  readonly version: number;
  readonly digest: string;
  readonly snapshot: RoutingSnapshot;
}

const KEYS_A_SCAN = 1000;

export async function readVersions(client: RedisClient, keys: RedisKeys): Promise<StoredVersions> {
  const [snapshotDigest, keysStamp] = await client.hmget(keys.state, 'snapshotDigest', 'keysStamp');
  return { snapshotDigest: snapshotDigest ?? null, keysStamp: keysStamp ?? null };
}

/** Null when there is none; throws a SnapshotUnreadable when it cannot be decoded. */
export async function readSnapshot(client: RedisClient, keys: RedisKeys): Promise<StoredSnapshot | null> {
  const [body, digest, version] = await client.hmgetBuffer(keys.state, 'snapshot', 'snapshotDigest', 'snapshotVersion');
  if (body == null || digest == null || version == null) return null;
  const stored = { version: Number(version.toString()), digest: digest.toString() };
  try {
    return { ...stored, snapshot: fromBinary(RoutingSnapshotSchema, body) };
  } catch (cause) {
    throw new SnapshotUnreadable(stored.version, stored.digest, 'it cannot be decoded', cause);
  }
}

/** A snapshot that is there but must not be served. */
export class SnapshotUnreadable extends Error {
  override readonly name = 'SnapshotUnreadable';
  readonly version: number;
  readonly digest: string;

  constructor(version: number, digest: string, reason: string, cause: unknown) {
    super(reason, { cause });
    this.version = version;
    this.digest = digest;
  }
}

/** The whole key table, read in pieces; an entry that cannot be decoded is named to `onUnreadable` and left out. */
export async function readApiKeys(
  client: RedisClient,
  keys: RedisKeys,
  onUnreadable: (id: string) => void,
): Promise<ApiKey[]> {
  const found = new Map<string, ApiKey>();
  let cursor = '0';
  do {
    const [next, fields] = await client.hscanBuffer(keys.apiKeys, cursor, 'COUNT', KEYS_A_SCAN);
    for (let at = 0; at + 1 < fields.length; at += 2) {
      const id = String(fields[at]);
      const bytes = fields[at + 1];
      try {
        if (bytes !== undefined) found.set(id, fromBinary(ApiKeySchema, bytes));
      } catch {
        onUnreadable(id);
      }
    }
    cursor = next.toString();
  } while (cursor !== '0');
  return [...found.values()];
}
