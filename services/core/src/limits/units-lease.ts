import type { CallMode, Lease, Offer, Reply, Surroundings } from './lease.ts';
import { Pace } from './pace.ts';
import { SETTLE_MS, SURE_MS } from './redis-link.ts';
import type { Shortage, Teller } from './shortages.ts';
import type { SubjectState } from './subject-state.ts';
import type { Unit } from './units.ts';

/** What a process wants to have in hand: so many milliseconds of its own demand. */
const AHEAD_MS = 5_000;
/** Redis is not asked again and again for what it has not got. */
const RECHECK_MS = 20;
/** Where others may give something back it is asked again after this, doubling to that; ... */
const LEAST_RECHECK_MS = 4;
const MOST_RECHECK_MS = 500;
/** ... where all is used up, after this at the latest. */
const LONGEST_EMPTY_MS = 10_000;
/** What a client is told that may be let in at any moment. */
const SOON_MS = 1_000;
/** By so much each request changes what is taken for usual. */
const USUAL = 1 / 8;
/** Of a bucket that has less than this share left, all replicas hear. */
const SHORT = 0.5;
/** By so much less, others hear of it at once. */
const NEWS = 1 / 16;
/** While Redis is away, all replicas together spend this share at most of what it had left. */
const UNHEARD = 0.5;
/** Below this share, others may be refused for want of what this process holds. */
const SCARCE = 0.25;

/** Answers of acquire.lua. */
const NEVER = -1;
const SOON = -2;

/** A lease of a bucket or of a budget: units taken out of Redis and not yet spent. */
export class UnitsLease implements Lease, Teller {
  readonly unit: Unit;
  readonly owner: SubjectState;
  readonly #around: Surroundings;
  readonly #pace = new Pace();
  /** Below zero when requests used more than they were let in with. */
  #available = 0;
  /** Spent without having been taken out of Redis (while it was away, or of a soft budget): still to be told. */
  #debt = 0;
  /** What Redis last said is left for everybody; null before it said anything. */
  #left: number | null = null;
  #leftAt = 0;
  /** What one request needs, as a rule. */
  #usual = 0;
  /** What requests under way were let in with: of tokens, some of it may come back. */
  #reserved = 0;
  /** What Redis knows of both. */
  #toldHeld = 0;
  #emptyFor = 0;
  #emptyUntil = 0;
  #recheckMs = 0;
  /** When there is enough, as far as is known. */
  #roomAt = 0;
  #quietUntil = 0;
  /** Of a budget: the window that the lease is of, when it was first heard of, and when nothing of it can be spent any more. */
  #windowEnds = 0;
  #windowSince = 0;
  #windowOver = Number.POSITIVE_INFINITY;
  /** Of the time without Redis that began then: what is there of this replica's share, and of its part of what was left; null: not known yet. */
  #shareSince = -1;
  #share = 0;
  #shareAt = 0;
  #part: number | null = null;
  #hadFirst = false;
  #successor: UnitsLease | null = null;

  /** `before` is the lease of the same limit that was another until now. */
  constructor(unit: Unit, owner: SubjectState, around: Surroundings, before?: UnitsLease) {
    this.unit = unit;
    this.owner = owner;
    this.#around = around;
    if (before && before.unit.window === unit.window) {
      // Of a smaller limit, what was taken out of the larger one is no part.
      this.#available = unit.capacity < before.unit.capacity ? Math.min(0, before.#available) : before.#available;
      this.#debt = before.#debt;
      this.#reserved = before.#reserved;
      this.#windowEnds = before.#windowEnds;
      this.#windowSince = before.#windowSince;
      this.#windowOver = before.#windowOver;
      this.#left = before.#left;
      this.#leftAt = before.#leftAt;
      before.#successor = this;
    }
  }

  has(need: number, now: number): boolean {
    if (this.unit.soft) return this.#left !== null;
    return this.#available >= need && now < this.#windowOver;
  }

  take(need: number, now: number): void {
    if (this.unit.soft) this.#debt += need;
    else this.#available -= need;
    this.#reserved += need;
    this.#usual = this.#usual === 0 ? need : this.#usual + (need - this.#usual) * USUAL;
    this.#pace.add(need, now);
  }

  give(amount: number, since: number, taken: number): void {
    if (this.#successor) {
      this.#successor.give(amount, since, taken);
      return;
    }
    this.#reserved = Math.max(0, this.#reserved - taken);
    // What was reserved in a window that is over does not come back to the one that runs.
    if (amount > 0 && since < this.#windowSince) return;
    if (this.unit.soft) this.#debt -= amount;
    else this.#available += amount;
  }

  emptyUntil(need: number, now: number): number {
    if (need > this.unit.capacity && !this.unit.soft) return Number.POSITIVE_INFINITY;
    return now < this.#emptyUntil && need - Math.max(0, this.#available) >= this.#emptyFor ? this.#emptyUntil : 0;
  }

  get isBrief(): boolean {
    return this.#recheckMs > 0;
  }

  waitMs(need: number, now: number): number {
    const until = this.emptyUntil(need, now);
    return Number.isFinite(until) ? Math.max(0, until - now, this.#roomAt - now) : until;
  }

  low(now: number): boolean {
    return !this.unit.soft && now >= this.#quietUntil && this.#available < this.#keep(now) / 2;
  }

  hasSurplus(now: number): boolean {
    return !this.unit.soft && this.#available > 0 && this.#available > 2 * this.#keep(now);
  }

  /** A bucket of its own: an equal part of what comes in since Redis went away, and a part of what it had left then. */
  hasShare(need: number, since: number, now: number): boolean {
    const { kind, soft, capacity, windowMs } = this.unit;
    if (soft) return true;
    if (kind === 'budget') return false;
    const { replicas, surelyAway } = this.#around;
    const most = capacity / replicas;
    if (this.#shareSince !== since) {
      this.#shareSince = since;
      [this.#share, this.#shareAt] = [0, since];
      [this.#part, this.#hadFirst] = [null, false];
    }
    if (now > this.#shareAt) {
      this.#share = Math.min(most, this.#share + ((now - this.#shareAt) * most) / windowMs);
      this.#shareAt = now;
    }
    const isAway = now >= since && surelyAway(now);
    if (isAway) this.#part ??= this.#partAt(since);
    // Of a subject that nobody seems to use much, one request is let in at once, though it be large.
    return (
      this.#share + (isAway ? (this.#part ?? 0) : 0) >= need ||
      (!this.#hadFirst && need <= most && this.#leftAtMost(since) >= capacity * SHORT)
    );
  }

  takeShare(need: number): void {
    const more = Math.max(0, Math.min(need - this.#share, this.#part ?? 0));
    if (this.#part !== null) this.#part -= more;
    this.#share -= need - more;
    this.#hadFirst = true;
    this.#debt += need;
  }

  /** What all know of at most. */
  #leftAtMost(since: number): number {
    const { capacity, name } = this.unit;
    const told = this.#around.shortages.of(this.owner.key, name)?.least ?? capacity;
    return Math.max(0, Math.min(told, this.#estimate(since) ?? capacity));
  }

  /** Who is alone may have all that was left. */
  #partAt(since: number): number {
    const { replicas, shortages } = this.#around;
    if (!shortages.isFresh(since)) return 0;
    return Math.floor((this.#leftAtMost(since) * (replicas === 1 ? 1 : UNHEARD)) / replicas);
  }

  shortage(now: number): Shortage | null {
    const left = this.#successor === null ? this.#estimate(now) : null;
    if (left === null || left >= this.unit.capacity * SHORT) return null;
    const { capacity, name } = this.unit;
    return { key: this.owner.key, unit: name, amount: Math.max(0, left), step: capacity * NEWS };
  }

  giveShare(amount: number): void {
    if (this.#successor) {
      this.#successor.giveShare(amount);
      return;
    }
    this.#share += amount;
    this.#debt -= amount;
  }

  get holds(): boolean {
    return this.#available > 0;
  }

  isDue(now: number): boolean {
    return this.#debt !== 0 || this.#available < 0 || this.#isCountedOn(now);
  }

  /** Others that are refused count on what was spent here meanwhile. */
  #isCountedOn(now: number): boolean {
    const [hand, reserved] = this.#held;
    const left = this.#estimate(now);
    return left !== null && left < this.unit.capacity * SHORT && hand + reserved < this.#toldHeld;
  }

  get busy(): boolean {
    return false;
  }

  isScarce(now: number): boolean {
    return (this.#estimate(now) ?? 0) < this.unit.capacity * SCARCE;
  }

  remaining(now: number): number | null {
    const left = this.#estimate(now);
    return left === null ? null : left + this.#available - this.#debt;
  }

  settled(now: number): number | null {
    const remaining = this.remaining(now);
    return remaining === null ? null : remaining + this.#reserved;
  }

  offer(mode: CallMode, want: number, all: number, now: number): Offer {
    const { name, kind, capacity, windowMs, window, soft } = this.unit;
    const isOver = now >= this.#windowOver;
    const hint = isOver ? null : this.#estimate(now);
    if (isOver) this.#available = 0;
    const owed = this.#debt + Math.max(0, -this.#available);
    this.#debt = 0;
    this.#available = Math.max(0, this.#available);
    const back = mode === 'empty' ? this.#available : mode === 'return' ? this.#surplus(now) : 0;
    this.#available -= back;
    const lacks = mode === 'take' && !soft;
    const least = lacks && want > 0 ? Math.max(1, want - this.#available) : 0;
    const needed = lacks ? Math.max(0, all - this.#available) : 0;
    const ahead = Math.ceil(this.#pace.per(AHEAD_MS, now));
    const wish = lacks ? Math.max(0, ahead - this.#available) : 0;
    const period = kind === 'bucket' ? windowMs : (window ?? 'total');
    const extra = kind === 'bucket' ? this.#reserve(now) : this.#windowEnds;
    const [hand, reserved] = this.#held;
    const args = [name, kind, capacity, period, back - owed, least, needed, wish, hint ?? -1, extra, hand, reserved];
    this.#toldHeld = hand + reserved;
    return { args, capacity, want: least, reserve: kind === 'bucket' ? extra : 0, owed };
  }

  granted(reply: Reply, offer: Offer, sentAt: number, now: number): void {
    if (this.#successor) {
      this.#successor.granted(reply, offer, sentAt, now);
      return;
    }
    const { want, capacity, reserve } = offer;
    const { granted, left, waitMs, windowEnds, windowLeftMs } = reply;
    if (windowEnds !== this.#windowEnds) {
      if (this.#windowEnds !== 0) this.#available = 0;
      this.#windowEnds = windowEnds;
      this.#windowSince = sentAt;
    }
    this.#windowOver = sentAt + windowLeftMs;
    if (capacity <= this.unit.capacity) this.#available += granted;
    this.#toldHeld += granted;
    this.#left = left;
    this.#leftAt = now;
    const isShort = this.unit.kind === 'bucket' && left < this.unit.capacity * SHORT;
    if (isShort) this.#around.shortages.note(this, now);
    if (granted === 0) this.#quietUntil = now + RECHECK_MS;
    const refused = want > 0 && granted < want;
    this.#emptyFor = want;
    // A reserve is kept for a short time only, and what others return can come at any time.
    const reserveMs = reserve > 0 ? (reserve * this.unit.windowMs) / capacity : 0;
    const isSoon = waitMs === SOON;
    const wait =
      waitMs === NEVER ? Number.POSITIVE_INFINITY : Math.max((isSoon ? SOON_MS : waitMs) - reserveMs, RECHECK_MS);
    this.#recheckMs =
      refused && isSoon ? Math.min(MOST_RECHECK_MS, Math.max(LEAST_RECHECK_MS, 2 * this.#recheckMs)) : 0;
    this.#emptyUntil = refused ? now + (isSoon ? this.#recheckMs : Math.min(wait, LONGEST_EMPTY_MS)) : 0;
    this.#roomAt = refused ? now + wait : 0;
  }

  failed(offer: Offer): void {
    if (this.#successor) {
      this.#successor.failed(offer);
      return;
    }
    this.#debt += offer.owed;
  }

  /** What is in hand, and what of the requests under way may come back: a request is a request, whatever it uses. */
  get #held(): readonly [hand: number, reserved: number] {
    const { kind, name } = this.unit;
    if (kind !== 'bucket') return [0, 0];
    return [Math.max(0, this.#available), name.startsWith('tokens') ? this.#reserved : 0];
  }

  /** What Redis has at most, as far as this process can tell. */
  #estimate(now: number): number | null {
    if (this.#left === null) return null;
    const { capacity, windowMs } = this.unit;
    if (windowMs === 0) return this.#left;
    return Math.min(capacity, this.#left + Math.floor(((now - this.#leftAt) * capacity) / windowMs));
  }

  /** How much it is good to have: the demand of some seconds, but no more than a fair part of what is left. */
  #keep(now: number): number {
    const left = this.#estimate(now);
    if (left === null || left <= 0) return 0;
    const part = Math.floor(left / (2 * this.#around.replicas));
    // With less than a request needs nobody is served; together with what others have it may be enough for one.
    return part < this.#usual ? 0 : Math.min(this.#pace.per(AHEAD_MS, now), part);
  }

  #surplus(now: number): number {
    const keep = Math.ceil(this.#keep(now));
    return this.#available > 2 * keep ? this.#available - keep : 0;
  }

  #reserve(now: number): number {
    const { capacity, windowMs } = this.unit;
    const { replicas } = this.#around;
    const ms = this.#around.reserveMs(now);
    if (ms === 0 || replicas === 1) return 0;
    // What others spent of what was left they have told before anybody takes again, after a longer time.
    const part = ms >= SURE_MS && ms < SETTLE_MS ? capacity * UNHEARD : 0;
    return Math.min(capacity, Math.ceil(((part + (ms * capacity) / windowMs) * (replicas - 1)) / replicas));
  }
}
