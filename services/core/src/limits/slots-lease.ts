import type { CallMode, Lease, Offer, Reply, Surroundings } from './lease.ts';
import type { SubjectState } from './subject-state.ts';
import type { Unit } from './units.ts';

/** How long slots outlive a process that dies. */
const LIFETIME_MS = 4_000;
/** A process stops trusting its slots so much earlier than Redis gives them away. */
const MARGIN_MS = 500;
/** They are renewed when no more than this is left. */
const RENEW_MS = 2_500;
/** Slots come free at any time: how often that is looked for. */
const RECHECK_MS = 5;
/** Half of what was in use at most counts after this. */
const HALF_LIFE_MS = 2_000;

/** Slots of this process, in use and not. */
export class SlotsLease implements Lease {
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
  #emptyUntil = 0;
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
    return now < this.#emptyUntil ? this.#emptyUntil : 0;
  }

  low(now: number): boolean {
    return now < this.#expiresAt && this.#spare < this.#keep(now) / 2;
  }

  hasSurplus(now: number): boolean {
    return this.#spare > 0 && this.#spare > 2 * this.#keep(now);
  }

  /**
   * What Redis gave out holds while nobody can ask it for more, so that no more than the limit run. Only when that has expired,
   * and those that have more than an equal part have had the time to end, each replica has its equal part.
   */
  hasShare(need: number, since: number, now: number): boolean {
    const awayMs = now - since;
    const equal = Math.floor(this.unit.capacity / this.#around.replicas);
    const expired = awayMs > 2 * LIFETIME_MS ? equal : Math.min(this.#held, equal);
    return this.#inUse + need <= (awayMs > LIFETIME_MS ? expired : this.#held);
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
    return (this.#left ?? 0) < this.unit.capacity / 4;
  }

  remaining(): number | null {
    return this.#left === null ? null : this.#left + this.#spare;
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
    const reserve = reserveMs(now) > LIFETIME_MS ? Math.floor(capacity / replicas) * (replicas - 1) : 0;
    return {
      args: [name, kind, capacity, LIFETIME_MS, this.#held, least, needed, wish, -1, reserve],
      capacity,
      want: least,
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
    this.#expiresAt = sentAt + LIFETIME_MS - MARGIN_MS;
  }

  /** What was kept is still held, whether or not Redis heard of it. */
  failed(): void {}

  get #spare(): number {
    return this.#held - this.#inUse;
  }

  /** How many it is good to have beside those in use; none where they are few. */
  #keep(now: number): number {
    const fair = Math.floor((this.#left ?? 0) / (2 * this.#around.replicas));
    return Math.max(0, Math.min(Math.ceil(1.5 * this.#peakNow(now)) - this.#inUse, fair));
  }

  #peakNow(now: number): number {
    return this.#peak * 0.5 ** ((now - this.#peakAt) / HALF_LIFE_MS);
  }
}
