import { type RedisClient, redisKeys } from '@headgate/core/redis';

const EVERY_MS = 5_000;
/** What was seen longer ago says nothing of now. */
const FRESH_MS = 3 * EVERY_MS;

interface Seen {
  readonly at: number;
  readonly entries: number;
  readonly ageMs: number;
}

/** How far the ledger is behind: looks at the usage stream from time to time, all replicas' work together. */
export class Backlog {
  readonly #client: RedisClient;
  readonly #stream: string;
  #seen: Seen | null = null;
  #timer: NodeJS.Timeout | null = null;
  #looking: Promise<void> | null = null;
  readonly #onReady = (): void => void this.look();

  constructor(client: RedisClient, prefix: string) {
    this.#client = client;
    this.#stream = redisKeys(prefix).ledger.stream;
    client.on('ready', this.#onReady);
  }

  start(): void {
    this.#timer = setInterval(() => void this.look(), EVERY_MS);
    void this.look();
  }

  stop(): void {
    this.#client.off('ready', this.#onReady);
    if (this.#timer !== null) clearInterval(this.#timer);
  }

  /** Entries that wait; NaN when Redis does not say. */
  get entries(): number {
    return this.#fresh()?.entries ?? Number.NaN;
  }

  /** Age of the oldest one in seconds, 0 without any; NaN when Redis does not say. */
  get ageSeconds(): number {
    return (this.#fresh()?.ageMs ?? Number.NaN) / 1000;
  }

  /** Looks now, or waits for the look that is under way. Does not reject. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = null;
    });
    return this.#looking;
  }

  async #look(): Promise<void> {
    try {
      const [entries, oldest, now] = await Promise.all([
        this.#client.xlen(this.#stream),
        this.#client.xrange(this.#stream, '-', '+', 'COUNT', 1),
        this.#client.time(),
      ]);
      const [[id] = [null]] = oldest;
      this.#seen = {
        at: performance.now(),
        entries,
        ageMs: id === null ? 0 : Math.max(0, toMs(now) - writtenAtMs(id)),
      };
    } catch {
      // Its connection tells that Redis is away; what is not fresh is not shown.
    }
  }

  #fresh(): Seen | null {
    return this.#seen !== null && performance.now() - this.#seen.at < FRESH_MS ? this.#seen : null;
  }
}

/** Redis gives entries ids `<milliseconds>-<number>` of its own clock. */
const writtenAtMs = (id: string): number => Number(id.split('-', 1)[0]);

const toMs = ([seconds, microseconds]: readonly (string | number)[]): number =>
  Number(seconds) * 1000 + Number(microseconds) / 1000;
