import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { type ApiKey, ApiKeySchema } from '@headgate/proto/api_key';
import { ulid } from 'ulid';
import { LuaScript, type RedisClient, redisKeys } from '../redis/index.ts';
import { readApiKeys } from './stored-state.ts';

const WRITE_KEY = new LuaScript(new URL('./write-key.lua', import.meta.url));
const NONE = Buffer.alloc(0);

/** What became of a change; but for `written` nothing was done. */
export type KeyChange = 'written' | 'changed' | 'name taken';

/** A key with the very bytes that stand in Redis: a change is made only if they still do. */
export interface StoredKey {
  readonly key: ApiKey;
  readonly bytes: Buffer;
}

/**
 * The API keys of the deployment as those see them who administer them. Each change is one script, and every ingress is
 * told of it. All methods fail when Redis is away; a change that failed may have been made.
 */
export class KeyStore {
  readonly #client: RedisClient;
  readonly #keys: ReturnType<typeof redisKeys>;

  constructor(client: RedisClient, prefix: string) {
    this.#client = client;
    this.#keys = redisKeys(prefix);
  }

  /** All of them, those of headgate.yaml too, in the order of their ids; entries that cannot be decoded are left out. */
  async list(): Promise<ApiKey[]> {
    const found = await readApiKeys(this.#client, this.#keys, () => undefined);
    return found.sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** Null when there is none. */
  async get(id: string): Promise<StoredKey | null> {
    const bytes = await this.#client.hgetBuffer(this.#keys.apiKeys, id);
    return bytes === null ? null : { key: fromBinary(ApiKeySchema, bytes), bytes };
  }

  /** Names of the keys of headgate.yaml. */
  async configuredNames(): Promise<ReadonlySet<string>> {
    const ids = await this.#client.smembers(this.#keys.configuredKeyIds);
    if (ids.length === 0) return new Set();
    const entries = await this.#client.hmgetBuffer(this.#keys.apiKeys, ...ids);
    return new Set(entries.flatMap((bytes) => (bytes === null ? [] : [fromBinary(ApiKeySchema, bytes).name])));
  }

  create(key: ApiKey): Promise<KeyChange> {
    return this.#write(key.id, null, key);
  }

  /** `after` has the id of `before`. */
  replace(before: StoredKey, after: ApiKey): Promise<KeyChange> {
    return this.#write(before.key.id, before, after);
  }

  remove(before: StoredKey): Promise<KeyChange> {
    return this.#write(before.key.id, before, null);
  }

  async #write(id: string, before: StoredKey | null, after: ApiKey | null): Promise<KeyChange> {
    const { state, apiKeys, apiKeyNames, changes } = this.#keys;
    const reply = await WRITE_KEY.run(
      this.#client,
      [state, apiKeys, apiKeyNames],
      [
        id,
        before?.bytes ?? NONE,
        after === null ? NONE : Buffer.from(toBinary(ApiKeySchema, after)),
        before?.key.name ?? '',
        after?.name ?? '',
        ulid(),
        changes,
      ],
    );
    return reply as KeyChange;
  }
}
