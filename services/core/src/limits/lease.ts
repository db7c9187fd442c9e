import type { Unit } from './units.ts';

/** What a process wants to have in hand: so many milliseconds of its own demand. */
const AHEAD_MS = 5_000;
/** Below this share of what was last granted, more is fetched in the background. */
const LOW = 0.5;

/** What one process has of one limit: units taken out of Redis and not yet spent. Times are `performance.now()`. */
export class Lease {
  readonly unit: Unit;
  /** Spendable without asking; below zero when requests used more than they were let in with. Slots: held and not in use. */
  available = 0;
  /** Slots: in use now. */
  inUse = 0;
  /** What Redis last said is left for everybody, and when; null before it said anything. */
  left: number | null = null;
  leftAt = 0;
  /** Until then Redis has nothing for a need of `emptyFor` or more; it said so itself. */
  emptyUntil = 0;
  emptyFor = 0;
  /** Slots: from then on they may have been given to others. */
  expiresAt = 0;
  /** Spent without having been taken out of Redis (while it was away, or of a soft budget): still to be told. */
  debt = 0;
  /** Budget: begin of the window that the lease belongs to, epoch ms. */
  window = 0;
  #granted = 0;
  /** Demand per millisecond, decayed. */
  #pace = 0;
  #paceAt = 0;
  /** While Redis is away: this process's share of the bucket. */
  #shareAt = 0;
  #share: number | null = null;

  constructor(unit: Unit) {
    this.unit = unit;
  }

  has(need: number, now: number): boolean {
    if (this.unit.soft) return true;
    if (this.unit.kind === 'slots' && now >= this.expiresAt) return false;
    return this.available >= need;
  }

  take(need: number, now: number): void {
    if (this.unit.soft) this.debt += need;
    else this.available -= need;
    if (this.unit.kind === 'slots') this.inUse += need;
    const passed = now - this.#paceAt;
    // Half of what was known counts after two seconds.
    this.#pace = this.#pace * 0.5 ** (passed / 2_000) + (need * Math.LN2) / 2_000;
    this.#paceAt = now;
  }

  give(amount: number): void {
    if (this.unit.soft) this.debt -= amount;
    else this.available += amount;
    if (this.unit.kind === 'slots') this.inUse -= amount;
  }

  /** Redis said lately that it has nothing for such a need: when asking again makes sense; 0: now. */
  emptyFrom(need: number, now: number): number {
    return need >= this.emptyFor && now < this.emptyUntil ? this.emptyUntil : 0;
  }

  /** Far more is in hand than this process will need soon, and it is a good part of what there is. */
  hasSurplus(now: number): boolean {
    const { kind, capacity, soft } = this.unit;
    if (kind === 'slots' || soft) return false;
    return this.available > capacity * SURPLUS_SHARE && this.available > 2 * this.wish(0, now);
  }

  get low(): boolean {
    return this.unit.kind !== 'slots' && !this.unit.soft && this.#granted > 1 && this.available < this.#granted * LOW;
  }

  /** How much it would be good to have; `waiting` is what requests wait for. */
  wish(waiting: number, now: number): number {
    const pace = this.#pace * 0.5 ** ((now - this.#paceAt) / 2_000);
    return Math.max(waiting, Math.ceil(pace * AHEAD_MS));
  }

  /** When something was last taken. */
  get usedAt(): number {
    return this.#paceAt;
  }

  granted(amount: number, left: number, waitMs: number, want: number, now: number): void {
    if (this.unit.kind === 'slots') this.available = amount - this.inUse;
    else this.available += amount;
    if (amount > 0) this.#granted = amount;
    this.left = left;
    this.leftAt = now;
    this.#share = null;
    const refused = want > 0 && (this.unit.kind === 'slots' ? amount < want : amount === 0);
    this.emptyFor = want;
    this.emptyUntil = !refused ? 0 : waitMs < 0 ? Number.POSITIVE_INFINITY : now + Math.max(waitMs, RECHECK_MS);
  }

  /** What is left for everybody, as far as this process can tell; null: it knows nothing. */
  estimate(now: number): number | null {
    if (this.left === null) return null;
    return Math.min(this.unit.capacity, this.left + (now - this.leftAt) * this.unit.perMs);
  }

  /** Whether this replica's share of what comes in has room. For the time without Redis. */
  hasShare(need: number, replicas: number, now: number): boolean {
    const { kind, capacity, perMs } = this.unit;
    if (kind === 'slots') return this.inUse + need <= Math.max(1, Math.floor(capacity / replicas));
    // What Redis said last may have been taken by others since. Of a subject that was never heard of, one request is let in.
    if (this.#share === null) this.#share = this.left === null ? need : 0;
    else this.#share = Math.min(capacity / replicas, this.#share + ((now - this.#shareAt) * perMs) / replicas);
    this.#shareAt = now;
    return this.#share >= need;
  }

  takeShare(need: number): void {
    if (this.unit.kind === 'slots') this.inUse += need;
    else {
      this.#share = (this.#share ?? 0) - need;
      this.debt += need;
    }
  }

  giveShare(amount: number): void {
    if (this.unit.kind === 'slots') this.inUse -= amount;
    else this.debt -= amount;
  }
}

const SURPLUS_SHARE = 0.1;

/** Slots and budgets come free at any time: how often that is looked for. */
const RECHECK_MS = 20;
