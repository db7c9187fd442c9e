import { hostname } from 'node:os';
import { type Retention, RollUp, StreamReader } from '@headgate/core/ledger';
import { type RedisClient, redisKeys } from '@headgate/core/redis';
import type { Logger } from '@headgate/core/telemetry';

const EVERY_MS = 500;

/** Adds what the ingresses have written to the ledger's sums, for as long as it runs. Several replicas share the work. */
export class RollUpLoop {
  readonly #client: RedisClient;
  readonly #prefix: string;
  readonly #log: Logger;
  readonly #onAdded: (records: number) => void;
  #reader: StreamReader;
  #timer: NodeJS.Timeout | null = null;
  #draining: Promise<void> | null = null;
  #failing = false;
  #stopped = false;

  /** `onAdded` hears how many records were new, as they are added. */
  constructor(
    client: RedisClient,
    prefix: string,
    retention: Retention,
    log: Logger,
    onAdded: (records: number) => void = () => {},
  ) {
    this.#client = client;
    this.#prefix = prefix;
    this.#log = log;
    this.#onAdded = onAdded;
    this.#reader = this.#readerWith(retention);
  }

  start(): void {
    this.#arm();
  }

  /** What is added from now on is kept for so long. */
  change(retention: Retention): void {
    this.#reader = this.#readerWith(retention);
  }

  /** Takes what is there one last time; what cannot be taken now waits in the stream for the next to come. */
  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#draining;
    await this.#drain();
  }

  #readerWith(retention: Retention): StreamReader {
    const keys = redisKeys(this.#prefix);
    const rollUp = new RollUp(this.#client, keys, retention);
    return new StreamReader(this.#client, keys, rollUp, `${hostname()}:${process.pid}`, this.#log);
  }

  #arm(): void {
    this.#timer = setTimeout(() => {
      this.#draining = this.#drain().finally(() => {
        this.#draining = null;
        if (!this.#stopped) this.#arm();
      });
    }, EVERY_MS);
  }

  async #drain(): Promise<void> {
    try {
      await this.#reader.drain(this.#onAdded);
      if (this.#failing) this.#log.info('usage is added to the ledger again');
      this.#failing = false;
    } catch (error) {
      // At the start the connection is not up yet, and when it is lost it says so itself.
      if (this.#client.status !== 'ready') return;
      if (!this.#failing) this.#log.warn('usage waits: it cannot be added to the ledger', { error });
      this.#failing = true;
    }
  }
}
