import type { CallMode, Lease, Offer, Reply, Surroundings } from './lease.ts';
import { SURE_MS } from './redis-link.ts';
import type { Shortage, Teller } from './shortages.ts';
import type { SubjectState } from './subject-state.ts';
import type { Unit } from './units.ts';

/** How long slots outlive a process that dies. */
const LIFETIME_MS = 4_000;
/** A process stops trusting its slots so much earlier than Redis gives them away. */
const MARGIN_MS = 500;
/** They are renewed when no more than this is left. */
const RENEW_MS = 2_500;
/** What was heard so lately of a limit counts for more than what its replicas told. */
const RECENT_MS = 5_000;
/** By so many more, as a part of all, others hear of it at once. */
const NEWS = 1 / 16;
/** Slots come free at any time: how often that is looked for. */
const RECHECK_MS = 5;
/** Half of what was in use at most counts after this. */
const HALF_LIFE_MS = 2_000;

/** Slots of this process, in use and not. */
export class SlotsLease implements Lease, Teller {
  readonly unit: Unit;
  readonly owner: SubjectState;
  readonly #around: Surroundings;
  #inUse = 0;
  /** The most that were in use of late, decayed. */
  #peak = 0;
  #peakAt = 0;
  /** Those in use included. */
  #held = 0;
  #expiresAt = 0;
  /** Free for everybody when Redis was last heard. */
  #left: number | null = null;
  #leftAt = 0;
  #emptyUntil = 0;
  /** Held by others that told of it, as of that version of what was told. */
  #toldHeld = 0;
  #toldVersion = -1;
  #successor: SlotsLease | null = null;

  /** `before` is the lease of the same limit that was another until now: its requests are still running. */
  constructor(unit: Unit, owner: SubjectState, around: Surroundings, before?: SlotsLease) {
    this.unit = unit;
    this.owner = owner;
    this.#around = around;
    if (before) {
      this.#inUse = before.#inUse;
      this.#held = Math.min(before.#held, unit.capacity);
      this.#expiresAt = before.#expiresAt;
      before.#successor = this;
    }
  }

  has(need: number, now: number): boolean {
    return this.#held - this.#inUse >= need && now < this.#expiresAt;
  }

  take(need: number, now: number): void {
    this.#inUse += need;
    this.#peak = Math.max(this.#inUse, this.#peakNow(now));
    this.#peakAt = now;
  }

  give(amount: number): void {
    if (this.#successor) {
      this.#successor.give(amount);
      return;
    }
    this.#inUse -= amount;
  }

  emptyUntil(need: number, now: number): number {
    if (need > this.unit.capacity) return Number.POSITIVE_INFINITY;
    // All run here: nobody else has one to give.
    if (this.#inUse + need > this.unit.capacity) return now + RECHECK_MS;
    return now < this.#emptyUntil ? this.#emptyUntil : 0;
  }

  get isBrief(): boolean {
    return true;
  }

  waitMs(need: number, now: number): number {
    return Math.max(0, this.emptyUntil(need, now) - now);
  }

  low(now: number): boolean {
    return now < this.#expiresAt && this.#spare < this.#keep(now) / 2;
  }

  hasSurplus(now: number): boolean {
    return this.#spare > 0 && this.#spare > 2 * this.#keep(now);
  }

  /**
   * What Redis gave out holds while nobody can ask it for more, and what it had left is shared, so that no more than the limit
   * run. Only when that has expired, and those that have more than an equal part have had the time to end, each replica has
   * its equal part. That is one slot at least, even if there are more replicas than slots.
   */
  hasShare(need: number, since: number, now: number): boolean {
    const awayMs = now - since;
    const { replicas } = this.#around;
    const equal = Math.max(1, Math.floor(this.unit.capacity / replicas));
    const held = awayMs > LIFETIME_MS ? Math.min(this.#held, equal) : this.#held;
    const most = awayMs > 2 * LIFETIME_MS ? equal : Math.max(held, this.#unclaimed(since, now));
    return this.#inUse + need <= most;
  }

  /** What this replica may use though it does not hold it: nobody else has it, nor will have when each does the same. */
  #unclaimed(since: number, now: number): number {
    const { capacity, name } = this.unit;
    const { replicas, shortages } = this.#around;
    if (now < since || !shortages.isFresh(since)) return 0;
    const told = shortages.of(this.owner.key, name);
    const isHeard = this.#left !== null && since - this.#leftAt < RECENT_MS;
    const hasOthers = isHeard && this.#held + (this.#left ?? 0) < capacity;
    if (!this.#around.surelyAway(now)) return told === null && !hasOthers ? 1 : 0;
    const rest = told === null ? capacity : capacity - told.sum;
    const part = Math.floor(Math.max(0, rest) / Math.max(1, replicas - (told?.replicas ?? 0)));
    if (hasOthers) return Math.min(part, this.#held + Math.floor(Math.max(0, this.#left ?? 0) / replicas));
    return told === null ? Math.max(1, part) : part;
  }

  /** What others cannot count on, beyond the part that each may expect another to have. */
  shortage(now: number): Shortage | null {
    const isOver = this.#successor !== null || (this.#inUse === 0 && now >= this.#expiresAt);
    if (isOver || !this.#isBeyondPart) return null;
    const { capacity, name } = this.unit;
    return { key: this.owner.key, unit: name, amount: this.#held, step: Math.max(1, capacity * NEWS) };
  }

  get #isBeyondPart(): boolean {
    return this.#held > Math.floor(this.unit.capacity / this.#around.replicas);
  }

  takeShare(need: number): void {
    this.#inUse += need;
  }

  giveShare(amount: number): void {
    this.give(amount);
  }

  get holds(): boolean {
    return this.#spare > 0;
  }

  isDue(now: number): boolean {
    return this.#inUse > 0 && this.#expiresAt - now < RENEW_MS;
  }

  get busy(): boolean {
    return this.#inUse > 0;
  }

  isScarce(): boolean {
    return this.#free < this.unit.capacity / 4;
  }

  remaining(): number | null {
    return this.#left === null ? null : this.#left + this.#spare;
  }

  settled(): number | null {
    return this.remaining();
  }

  offer(mode: CallMode, want: number, all: number, now: number): Offer {
    const { name, kind, capacity } = this.unit;
    // What is not kept is given up now, not when the answer comes.
    const spare = now < this.#expiresAt ? Math.max(0, this.#spare) : 0;
    const kept = mode === 'take' ? spare : mode === 'return' ? Math.min(spare, this.#keep(now)) : 0;
    this.#held = this.#inUse + kept;
    const isTake = mode === 'take';
    const least = isTake ? Math.max(0, want - kept) : 0;
    const needed = isTake ? Math.max(0, all - kept) : 0;
    const wish = isTake ? Math.max(0, this.#keep(now) - kept) : 0;
    const { replicas, reserveMs } = this.#around;
    const reserve = reserveMs(now) >= SURE_MS && replicas > 1 ? Math.max(1, Math.floor(capacity / replicas)) : 0;
    return {
      args: [name, kind, capacity, LIFETIME_MS, this.#held, least, needed, wish, -1, reserve, 0, 0],
      capacity,
      want: least,
      reserve,
      owed: 0,
    };
  }

  granted(reply: Reply, offer: Offer, sentAt: number, now: number): void {
    if (this.#successor) {
      this.#successor.granted(reply, offer, sentAt, now);
      return;
    }
    this.#emptyUntil = offer.want > 0 && reply.granted < this.#held + offer.want ? now + RECHECK_MS : 0;
    // The limit may have become smaller since it was asked for.
    this.#held = Math.min(reply.granted, Math.max(this.#held, this.unit.capacity));
    this.#left = reply.left;
    this.#leftAt = now;
    if (this.#isBeyondPart) this.#around.shortages.note(this, now);
    this.#expiresAt = sentAt + LIFETIME_MS - MARGIN_MS;
  }

  /** What was kept is still held, whether or not Redis heard of it. */
  failed(): void {}

  get #spare(): number {
    return this.#held - this.#inUse;
  }

  /** How many it is good to have beside those in use; none where they are few. */
  #keep(now: number): number {
    const fair = Math.floor(this.#free / (2 * this.#around.replicas));
    return Math.max(0, Math.min(Math.ceil(1.5 * this.#peakNow(now)) - this.#inUse, fair));
  }

  /** For everybody, as last heard; others that took much since have told. */
  get #free(): number {
    const { shortages } = this.#around;
    if (this.#toldVersion !== shortages.version) {
      this.#toldVersion = shortages.version;
      this.#toldHeld = shortages.of(this.owner.key, this.unit.name)?.sum ?? 0;
    }
    return Math.max(0, Math.min(this.#left ?? 0, this.unit.capacity - this.#toldHeld - this.#held));
  }

  #peakNow(now: number): number {
    return this.#peak * 0.5 ** ((now - this.#peakAt) / HALF_LIFE_MS);
  }
}
