import { create, toBinary } from '@bufbuild/protobuf';
import { UsageBatchSchema, type UsageRecord } from '@headgate/proto/usage';
import type { RedisClient, RedisKeys } from '../redis/index.ts';

const FLUSH_MS = 250;
const MOST_A_BATCH = 500;
/** About 20 MB; what comes beyond while Redis is away is dropped, oldest first, and counted. */
const MOST_WAITING = 50_000;
const MOST_ENTRIES = 1_000_000;
const RETRY_MS = 1_000;
const STOP_MS = 3_000;

export interface UsageLog {
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
}

/**
 * Carries usage records to the ledger's stream in the background: nothing waits for it. What Redis did not confirm is
 * sent again; whoever adds the records up takes each once.
 */
export class UsageWriter {
  readonly #client: RedisClient;
  readonly #stream: string;
  readonly #log: UsageLog;
  #waiting: UsageRecord[] = [];
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
    return this.#waiting.length;
  }

  write(record: UsageRecord): void {
    if (this.#waiting.length >= MOST_WAITING) {
      // A tenth at once: taking the first of a long array each time would cost more than the record.
      this.#dropped += this.#waiting.splice(0, MOST_WAITING / 10).length;
    }
    this.#waiting.push(record);
    if (this.#waiting.length >= MOST_A_BATCH && !this.#failing) void this.#send();
    else this.#arm(this.#failing ? RETRY_MS : FLUSH_MS);
  }

  /** Sends what is left; gives up after some seconds and says how much was lost. */
  async stop(): Promise<void> {
    const giveUpAt = performance.now() + STOP_MS;
    while (this.#waiting.length > 0 && performance.now() < giveUpAt) {
      await this.#send();
      if (this.#failing) await new Promise((done) => setTimeout(done, 100));
    }
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const lost = this.#dropped + this.#waiting.length;
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
      if (this.#waiting.length > 0) this.#arm(this.#failing ? RETRY_MS : FLUSH_MS);
    });
    return this.#sending;
  }

  async #sendAll(): Promise<void> {
    do {
      const records = this.#waiting.slice(0, MOST_A_BATCH);
      const last = records.at(-1);
      if (last === undefined) return;
      const batch = Buffer.from(toBinary(UsageBatchSchema, create(UsageBatchSchema, { records })));
      try {
        await this.#client.xadd(this.#stream, 'MAXLEN', '~', MOST_ENTRIES, '*', 'batch', batch);
      } catch (error) {
        this.#fails(error);
        return;
      }
      // Meanwhile some may have been dropped from the front, all of them even.
      this.#waiting.splice(0, this.#waiting.lastIndexOf(last, records.length - 1) + 1);
      this.#succeeds();
    } while (this.#waiting.length >= MOST_A_BATCH);
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
