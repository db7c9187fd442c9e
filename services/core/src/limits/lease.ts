import type { Shortages } from './shortages.ts';
import type { SubjectState } from './subject-state.ts';
import type { Unit } from './units.ts';

/**
 * How a call to Redis is meant: `take` fetches more, `return` gives back what this process will not need soon, `empty` gives
 * back all, `tell` only says what there is to say.
 */
export type CallMode = 'take' | 'return' | 'empty' | 'tell';

/** One unit's part of a call; the twelve arguments of acquire.lua. */
export interface Offer {
  readonly args: readonly (string | number)[];
  /** Of the limit that was asked about. */
  readonly capacity: number;
  readonly want: number;
  /** Kept back for others, for a short time: none of it was to be given out. */
  readonly reserve: number;
  /** Taken from the lease's debt for this call. */
  readonly owed: number;
}

export interface Reply {
  readonly granted: number;
  readonly left: number;
  /** -1: never; -2: at any moment, when others give back what they do not need. */
  readonly waitMs: number;
  /** Milliseconds until the window of a budget ends; Infinity: never. */
  readonly windowLeftMs: number;
  /** End of that window by Redis's clock, epoch ms; 0: never. */
  readonly windowEnds: number;
}

/** What one process has of one limit. All times are `performance.now()`. */
export interface Lease {
  readonly unit: Unit;
  readonly owner: SubjectState;
  /** Whether a need can be met without asking Redis. */
  has(need: number, now: number): boolean;
  take(need: number, now: number): void;
  /** What was taken at `since` comes back (positive), or more than that was used (negative), of so many units that were taken. */
  give(amount: number, since: number, taken: number): void;
  /** Redis said lately that it has nothing for such a need: from when asking it again makes sense; 0: now. */
  emptyUntil(need: number, now: number): number;
  /** What a client is told then: milliseconds until such a need can be met, as far as is known; Infinity: never. */
  waitMs(need: number, now: number): number;
  /** What it lacks may come at any moment: a slot, or what others do not need after all. */
  readonly isBrief: boolean;
  /** More should be fetched before it runs out. */
  low(now: number): boolean;
  /** Far more is in hand than will be needed soon, and others may wait for it. */
  hasSurplus(now: number): boolean;
  /** Whether this replica's share has room, in a time without Redis that began at `since`. */
  hasShare(need: number, since: number, now: number): boolean;
  takeShare(need: number): void;
  giveShare(amount: number): void;
  /** Something is held that others could use. */
  readonly holds: boolean;
  /** Redis must hear of this soon: debts, slots in use that are about to expire. */
  isDue(now: number): boolean;
  /** It may not be forgotten: requests are running on it. */
  readonly busy: boolean;
  /** Less than a quarter is left for everybody. */
  isScarce(now: number): boolean;
  /** What is left for everybody and for this process together; null: not known. */
  remaining(now: number): number | null;
  /** The same, without what requests under way of this process were let in with: they may need less. */
  settled(now: number): number | null;
  /** `want` and `all` are what requests need that wait: the first one, all of them. */
  offer(mode: CallMode, want: number, all: number, now: number): Offer;
  /** `sentAt` is from before the call. */
  granted(reply: Reply, offer: Offer, sentAt: number, now: number): void;
  /** Redis may or may not have heard: what was given back is lost, which harms nobody; what was owed is still owed. */
  failed(offer: Offer): void;
}

/** What all leases of a process share. */
export interface Surroundings {
  /** Replicas that share the limits, this one included. */
  replicas: number;
  /** What replicas tell each other of limits that are nearly used up. */
  readonly shortages: Shortages;
  /** Whether Redis, which does not answer, is away for everybody; if not, it may be slow for this process alone. */
  surelyAway(now: number): boolean;
  /** Part of a bucket's refill of so many milliseconds may still be owed by other replicas, from a time without Redis. */
  reserveMs(now: number): number;
}
