import type { RedisClient } from '../redis/index.ts';

const PING_MS = 50;
/** A request waits for so long for an answer of Redis that is usually there at once ... */
const LEAST_PATIENCE_MS = 5;
/** ... and for longer, up to this, where the machine is so busy that answers took that long of late. */
const MOST_PATIENCE_MS = 150;
/** How much longer than the slowest answer of late. */
const PATIENCE = 5;
/** The slowest answer counts half after this. */
const HALF_LIFE_MS = 3_000;
/** Before anything is known. */
const FIRST_GUESS_MS = 20;
/** A process that starts waits so long for its connection. */
const CONNECT_MS = 2_000;
/** Redis may have given away slots, or lost its data: whoever comes back tells what it knows, and takes nothing meanwhile. */
export const SETTLE_MS = 1_500;
/** A time without Redis in which no lease has expired needs none of that. */
const SHORT_MS = 3_000;
/** Replicas notice within this that Redis is back, one after the other, when no connection was lost. */
const SPREAD_MS = 150;
/** A Redis that was only busy has answered before this; one that went on for longer may be away for all. */
export const SURE_MS = 250;
/** A moment is not worth a line in the log. */
const WORTH_TELLING_MS = 500;
/** A timer that comes so much too late tells of a busy process. */
const LATE_MS = 3;

export interface LinkLog {
  info(message: string, fields?: object): void;
  warn(message: string, fields?: object): void;
}

/** Whether Redis can be asked. While it cannot, nobody waits for it. */
export class RedisLink {
  readonly #client: RedisClient;
  readonly #log: LinkLog;
  /** Everything that Redis has to hear before anybody takes from it again. */
  readonly #tellAll: () => Promise<void>;
  #wasReady: boolean;
  #serverId = '';
  #up = true;
  #awaySince = 0;
  #lost = false;
  /** This time without it began with a connection that was closed, or calls that failed. */
  #cut = false;
  /** It answers, but has not heard all yet. */
  #isBack = false;
  #reserveMs = 0;
  #reserveUntil = 0;
  /** The slowest answer of late, decayed, and when that was; nothing is known at first. */
  #slowestMs = FIRST_GUESS_MS;
  #slowestAt = performance.now();
  #stopped = false;
  readonly #waiting = new Set<() => void>();

  constructor(client: RedisClient, log: LinkLog, tellAll: () => Promise<void>) {
    this.#client = client;
    this.#log = log;
    this.#tellAll = tellAll;
    this.#wasReady = client.status === 'ready';
    client.on('close', this.#closed);
    client.on('ready', this.#ready);
  }

  /** Resolves when there is a connection, or there is none for long. */
  async start(): Promise<void> {
    if (this.#client.status === 'ready') return;
    let timer: NodeJS.Timeout | undefined;
    const isReady = await new Promise<boolean>((resolve) => {
      this.#client.once('ready', () => resolve(true));
      timer = setTimeout(() => resolve(false), CONNECT_MS);
    });
    clearTimeout(timer);
    if (!isReady) this.fails('there is no connection', true);
  }

  get up(): boolean {
    return this.#up;
  }

  /** When Redis went away, `performance.now()`. */
  get awaySince(): number {
    return this.#awaySince;
  }

  /** Run id of the server that the connection leads to; empty: not known yet, or one of a cluster's. */
  get serverId(): string {
    return this.#serverId;
  }

  /** Which server answered. */
  reached(serverId: string): void {
    // An answer is read before its connection closes; a cluster has several servers.
    if (this.#client.status === 'ready' && !this.#client.isCluster) this.#serverId = serverId;
  }

  stop(): void {
    this.#stopped = true;
    this.#tellWaiting();
    this.#client.off('close', this.#closed);
    this.#client.off('ready', this.#ready);
  }

  /** While it is not up: not merely slow for a moment, nor back, with others that take from it. */
  readonly surelyAway = (now: number): boolean => !this.#isBack && (this.#cut || now - this.#awaySince >= SURE_MS);

  /** What other replicas spent in so many milliseconds without Redis may not be told yet; 0: all is told. */
  readonly reserveMs = (now: number): number => (now < this.#reserveUntil ? this.#reserveMs : 0);

  answered(ms: number): void {
    const now = performance.now();
    const before = this.#slowest(now);
    this.#slowestMs = Math.max(before, Math.min(ms, MOST_PATIENCE_MS));
    this.#slowestAt = now;
  }

  #slowest(now: number): number {
    return this.#slowestMs * 0.5 ** ((now - this.#slowestAt) / HALF_LIFE_MS);
  }

  /** Whether calls were answered before patience ran out; if not, Redis is away. */
  async inTime(calls: Promise<unknown>): Promise<boolean> {
    const patienceMs = Math.min(
      MOST_PATIENCE_MS,
      Math.max(LEAST_PATIENCE_MS, PATIENCE * this.#slowest(performance.now())),
    );
    const isInTime = await isOverWithin(calls, patienceMs);
    if (!isInTime) this.fails('it does not answer in time', false);
    return isInTime && this.#up;
  }

  /** Resolves with true when it is up again, else when it is surely away. */
  backSoon(): Promise<boolean> {
    const leftMs = this.#awaySince + SURE_MS - performance.now();
    if (this.#up || this.#cut || this.#stopped || leftMs <= 0) return Promise.resolve(this.#up);
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(done);
        resolve(this.#up);
      };
      const timer = setTimeout(done, leftMs);
      this.#waiting.add(done);
    });
  }

  #tellWaiting(): void {
    for (const done of this.#waiting) done();
  }

  /** `lost`: it may not be the same Redis, or not know what it knew, when it is back. */
  fails(reason: string, lost: boolean): void {
    if (this.#stopped) return;
    this.#lost ||= lost;
    this.#cut ||= lost;
    if (lost) {
      this.#isBack = false;
      this.#tellWaiting();
    }
    if (!this.#up) return;
    this.#up = false;
    this.#awaySince = performance.now();
    void this.#comeBack(reason);
  }

  readonly #ready = (): void => {
    this.#wasReady = true;
  };

  readonly #closed = (): void => {
    this.#serverId = '';
    // The first attempts to connect may fail: nothing was lost by that.
    if (this.#wasReady) this.fails('the connection was closed', true);
  };

  async #comeBack(reason: string): Promise<void> {
    const telling = setTimeout(() => this.#log.warn('limits are kept without Redis', { reason }), WORTH_TELLING_MS);
    telling.unref();
    await this.#answer();
    this.#isBack = true;
    while (!this.#stopped && (this.#lost || performance.now() - this.#awaySince > SHORT_MS)) {
      this.#lost = false;
      await this.#tellAll().catch(() => undefined);
      await pause(SETTLE_MS);
      if (!this.#lost) break;
      this.#isBack = false;
      await this.#answer();
      this.#isBack = true;
    }
    clearTimeout(telling);
    if (this.#stopped) return;
    const now = performance.now();
    this.#reserveMs = now - this.#awaySince;
    this.#reserveUntil = now + (this.#reserveMs > SETTLE_MS ? SETTLE_MS : SPREAD_MS);
    this.#up = true;
    this.#cut = false;
    this.#isBack = false;
    this.#tellWaiting();
    if (this.#reserveMs > WORTH_TELLING_MS) this.#log.info('limits are kept in Redis again');
    void this.#tellAll().catch(() => undefined);
  }

  /** Resolves when Redis answers. */
  async #answer(): Promise<void> {
    while (!this.#stopped) {
      try {
        const sentAt = performance.now();
        await this.#client.ping();
        this.answered(performance.now() - sentAt);
        return;
      } catch {
        await pause(PING_MS);
      }
    }
  }
}

const pause = (ms: number): Promise<void> =>
  new Promise((done) => {
    setTimeout(done, ms).unref();
  });

/** Whether it is over within `ms`, whatever came of it. Time in which this process itself was busy does not count. */
async function isOverWithin(work: Promise<unknown>, ms: number): Promise<boolean> {
  let over = false;
  const done = work.then(() => {
    over = true;
  });
  for (let tries = 0; tries < 3 && !over; tries++) {
    const began = performance.now();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
    });
    await Promise.race([done, late]);
    clearTimeout(timer);
    if (over) return true;
    // The timer may have come late, with the answer waiting in a socket that nobody has read yet.
    await new Promise((turn) => setImmediate(turn));
    await new Promise((turn) => setImmediate(turn));
    if (over || performance.now() - began < ms + LATE_MS) break;
  }
  return over;
}
