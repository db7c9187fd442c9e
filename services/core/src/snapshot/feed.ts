import { type RoutingTable, toRoutingTable } from '../catalog/index.ts';
import { KeyTable } from '../identity/index.ts';
import { createRequestClient, createSubscriber, type RedisClient, type RedisKeys, redisKeys } from '../redis/index.ts';
import { CredentialSeal } from './seal.ts';
import { readApiKeys, readSnapshot, readVersions, SnapshotUnreadable, type StoredSnapshot } from './stored-state.ts';

export interface Serving {
  readonly table: RoutingTable;
  readonly keys: KeyTable;
}

/** One call a log line; a change of state is told once. Fields hold no secret. */
export interface FeedLog {
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
}

export interface SnapshotFeedOptions {
  readonly redisUrl: string;
  readonly prefix: string;
  /** HEADGATE_SECRET; see requireSecret. */
  readonly secret: string;
  readonly log: FeedLog;
  /** Name of the connections in Redis; default headgate-feed. */
  readonly name?: string;
  /** How often a lost notification is looked for; default 1000. */
  readonly pollMs?: number;
}

/**
 * Routing table and API keys of one process, fed by notifications and healed by polling. Keeps what it has for as long as
 * Redis has nothing better: while Redis is away, after it came back empty, when a snapshot cannot be used.
 */
export class SnapshotFeed {
  readonly #options: SnapshotFeedOptions;
  readonly #keyNames: RedisKeys;
  readonly #seal: CredentialSeal;
  readonly #listeners = new Set<(serving: Serving) => void>();
  #client: RedisClient | null = null;
  #subscriber: RedisClient | null = null;
  #timer: NodeJS.Timeout | null = null;

  #serving: Serving | null = null;
  #table: RoutingTable | null = null;
  #apiKeys: KeyTable | null = null;
  #keysStamp: string | null = null;
  #refusedDigest: string | null = null;
  #up = false;
  #toldDown = false;
  #toldEmpty = false;
  #refreshing: Promise<void> | null = null;
  #again = false;
  #stopped = false;

  constructor(options: SnapshotFeedOptions) {
    this.#options = options;
    this.#keyNames = redisKeys(options.prefix);
    this.#seal = new CredentialSeal(options.secret);
  }

  /**
   * Connects, and resolves once what is in Redis has been loaded or the first attempt has failed; from then on it keeps
   * itself current. Does not throw when Redis is away: `current()` is null until it was reached.
   */
  async start(): Promise<void> {
    if (this.#client !== null) throw new Error('this SnapshotFeed was started before');
    const { redisUrl, name = 'headgate-feed', pollMs = 1000 } = this.#options;
    this.#client = createRequestClient(redisUrl, name, { onDown: (reason) => this.#setUp(reason) });
    this.#subscriber = createSubscriber(redisUrl, `${name}-notifications`);
    this.#subscriber.on('message', () => void this.#refresh());
    this.#subscriber.subscribe(this.#keyNames.changes).then(
      // What was published before the subscription stood went unheard.
      () => this.#refresh(),
      () => {
        // stop() came first; the subscription of a lost connection is renewed by the client itself.
      },
    );
    await firstOutcome(this.#client);
    if (this.#stopped) return;
    // From now on every (re)connection loads at once: what was notified in between went unheard.
    this.#client.on('ready', () => void this.#refresh());
    this.#subscriber.on('ready', () => void this.#refresh());
    this.#timer = setInterval(() => void this.#refresh(), pollMs);
    await this.#refresh();
  }

  /** What to serve now; null until a snapshot and the keys were loaded. */
  current(): Serving | null {
    return this.#serving;
  }

  /** Called after each swap, with what is served from then on. Returns how to stop. */
  onChange(listener: (serving: Serving) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Whether Redis answered when it was last asked, at most about a second ago. */
  redisUp(): boolean {
    return this.#up;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#listeners.clear();
    this.#client?.disconnect();
    this.#subscriber?.disconnect();
    await this.#refreshing;
  }

  /** Calls that come while one runs are answered by a single further run. */
  #refresh(): Promise<void> {
    if (this.#refreshing !== null) {
      this.#again = true;
      return this.#refreshing;
    }
    this.#refreshing = this.#refreshUntilCurrent().finally(() => {
      this.#refreshing = null;
    });
    return this.#refreshing;
  }

  async #refreshUntilCurrent(): Promise<void> {
    do {
      this.#again = false;
      try {
        await this.#load();
        this.#setUp(null);
      } catch (error) {
        this.#setUp(error instanceof Error ? error.message : String(error));
      }
    } while (this.#again && this.#up);
  }

  async #load(): Promise<void> {
    const client = this.#client;
    if (client === null || this.#stopped) return;
    const stored = await readVersions(client, this.#keyNames);
    this.#tellEmpty(stored.snapshotDigest === null);
    const changed = [
      await this.#loadSnapshot(client, stored.snapshotDigest),
      await this.#loadKeys(client, stored.keysStamp),
    ];
    if (changed.includes(true)) this.#swap();
  }

  async #loadSnapshot(client: RedisClient, digest: string | null): Promise<boolean> {
    if (digest === null || digest === this.#table?.digest || digest === this.#refusedDigest) return false;
    try {
      const stored = await readSnapshot(client, this.#keyNames);
      if (stored === null) return false;
      this.#table = this.#toTable(stored);
      this.#refusedDigest = null;
      return true;
    } catch (error) {
      if (!(error instanceof SnapshotUnreadable)) throw error;
      this.#refusedDigest = error.digest;
      const keeping = this.#table === null ? 'none' : this.#table.version;
      this.#options.log.error('snapshot refused', { version: error.version, reason: error.message, serving: keeping });
      return false;
    }
  }

  #toTable({ snapshot, version, digest }: StoredSnapshot): RoutingTable {
    try {
      return toRoutingTable(snapshot, version, digest, (provider, sealed) => this.#seal.open(provider, sealed));
    } catch (cause) {
      throw new SnapshotUnreadable(version, digest, cause instanceof Error ? cause.message : String(cause), cause);
    }
  }

  async #loadKeys(client: RedisClient, stamp: string | null): Promise<boolean> {
    if (stamp === null || stamp === this.#keysStamp) return false;
    const apiKeys = await readApiKeys(client, this.#keyNames, (id) =>
      this.#options.log.error('API key refused: it cannot be decoded', { keyId: id }),
    );
    this.#apiKeys = new KeyTable(this.#options.secret, apiKeys);
    // The stamp read before the scan: a change during it has another stamp, and is loaded by the next run.
    this.#keysStamp = stamp;
    return true;
  }

  #swap(): void {
    if (this.#table === null || this.#apiKeys === null) return;
    const before = this.#serving;
    const serving = { table: this.#table, keys: this.#apiKeys };
    this.#serving = serving;
    if (before?.table !== serving.table) {
      this.#options.log.info('snapshot loaded', { version: serving.table.version, models: serving.table.models.size });
    }
    if (before?.keys !== serving.keys) this.#options.log.info('API keys loaded', { keys: serving.keys.size });
    for (const listener of this.#listeners) this.#tell(listener, serving);
  }

  /** What a listener throws is its own failure, not one of Redis. */
  #tell(listener: (serving: Serving) => void, serving: Serving): void {
    try {
      listener(serving);
    } catch (error) {
      this.#options.log.error('a listener of the snapshot failed', { error });
    }
  }

  #tellEmpty(empty: boolean): void {
    if (empty && !this.#toldEmpty) {
      const version = this.#serving?.table.version;
      const message =
        version === undefined
          ? 'waiting for control to publish a snapshot'
          : 'Redis holds no snapshot; keeping the last one';
      this.#options.log.warn(message, version === undefined ? {} : { version });
    }
    this.#toldEmpty = empty;
  }

  /** Null when Redis answered, else why it did not. */
  #setUp(failure: string | null): void {
    this.#up = failure === null;
    if (failure === null && this.#toldDown) this.#options.log.info('Redis is back');
    if (failure !== null && !this.#toldDown && !this.#stopped) {
      this.#options.log.warn('Redis is away', { reason: failure, serving: this.#serving?.table.version ?? 'none' });
    }
    this.#toldDown = failure !== null;
  }
}

/** Resolves when the first attempt to connect is over, either way. */
function firstOutcome(client: RedisClient): Promise<void> {
  return new Promise((resolve) => {
    client.once('ready', () => resolve());
    client.once('close', () => resolve());
  });
}
