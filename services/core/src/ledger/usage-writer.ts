import type { RedisClient, RedisKeys } from '../redis/index.ts';
import { UsageBatchEncoder, type UsageEntry } from './usage-encoding.ts';

const FLUSH_MS = 250;
const MOST_A_BATCH = 500;
/** About 20 MB; what comes beyond while Redis is away is dropped, oldest first, and counted. */
const MOST_WAITING = 50_000;
/** Dropped at once then: taking one at a time from the front would cost more than the record. */
const DROPPED_AT_ONCE = MOST_WAITING / 10;
const MOST_ENTRIES = 1_000_000;
const RETRY_MS = 1_000;
const STOP_MS = 3_000;

export interface UsageLog {
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
}

/** Encoded records that wait to be confirmed. */
interface Batch {
  readonly bytes: Buffer;
  readonly records: number;
}

/**
 * Carries usage records to the ledger's stream in the background: nothing waits for it. What Redis did not confirm is
 * sent again; whoever adds the records up takes each once.
 */
export class UsageWriter {
  readonly #client: RedisClient;
  readonly #stream: string;
  readonly #log: UsageLog;
  /** Takes what comes; its records follow behind those of `#batches`. */
  readonly #open = new UsageBatchEncoder();
  #batches: Batch[] = [];
  #inBatches = 0;
  #dropped = 0;
  #timer: NodeJS.Timeout | null = null;
  #sending: Promise<void> | null = null;
  #failing = false;

  constructor(client: RedisClient, keys: RedisKeys, log: UsageLog) {
    this.#client = client;
    this.#stream = keys.ledger.stream;
    this.#log = log;
  }

  /** Records that were lost because Redis was away for too long. */
  get dropped(): number {
    return this.#dropped;
  }

  get waiting(): number {
    return this.#inBatches + this.#open.count;
  }

  write(entry: UsageEntry): void {
    if (this.waiting >= MOST_WAITING) this.#drop();
    this.#open.add(entry);
    if (this.#open.count >= MOST_A_BATCH) this.#close();
    if (this.#batches.length > 0 && !this.#failing) void this.#send();
    else this.#arm(this.#failing ? RETRY_MS : FLUSH_MS);
  }

  #drop(): void {
    for (let dropped = 0; dropped < DROPPED_AT_ONCE; ) {
      const [oldest] = this.#batches;
      if (oldest === undefined) return;
      this.#forget(oldest);
      dropped += oldest.records;
      this.#dropped += oldest.records;
    }
  }

  /** What comes from now on goes into another batch. */
  #close(): void {
    const records = this.#open.count;
    if (records === 0) return;
    this.#batches.push({ bytes: this.#open.take(), records });
    this.#inBatches += records;
  }

  #forget(batch: Batch): void {
    const at = this.#batches.indexOf(batch);
    // While it was under way it may have been dropped.
    if (at < 0) return;
    this.#batches.splice(at, 1);
    this.#inBatches -= batch.records;
  }

  /** Sends what is left; gives up after some seconds and says how much was lost. */
  async stop(): Promise<void> {
    const giveUpAt = performance.now() + STOP_MS;
    while (this.waiting > 0 && performance.now() < giveUpAt) {
      await this.#send();
      if (this.#failing) await new Promise((done) => setTimeout(done, 100));
    }
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const lost = this.#dropped + this.waiting;
    if (lost > 0) this.#log.warn('usage records were lost', { records: lost });
  }

  #arm(ms: number): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      void this.#send();
    }, ms);
  }

  #send(): Promise<void> {
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = null;
      if (this.waiting > 0) this.#arm(this.#failing ? RETRY_MS : FLUSH_MS);
    });
    return this.#sending;
  }

  async #sendAll(): Promise<void> {
    if (this.#batches.length === 0) this.#close();
    for (;;) {
      const [batch] = this.#batches;
      if (batch === undefined) return;
      try {
        await this.#client.xadd(this.#stream, 'MAXLEN', '~', MOST_ENTRIES, '*', 'batch', batch.bytes);
      } catch (error) {
        this.#fails(error);
        return;
      }
      this.#forget(batch);
      this.#succeeds();
    }
  }

  #fails(error: unknown): void {
    if (!this.#failing) {
      this.#log.warn('usage records wait for Redis', {
        reason: error instanceof Error ? error.message : String(error),
      });
    }
    this.#failing = true;
  }

  #succeeds(): void {
    if (this.#failing) this.#log.info('usage records are written again', { dropped: this.#dropped });
    this.#failing = false;
  }
}
