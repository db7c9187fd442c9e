import { LuaScript, type RedisClient, type RedisKeys } from '../redis/index.ts';
import type { Subject } from './contract.ts';
import type { CallMode, Lease, Offer, Surroundings } from './lease.ts';
import { SlotsLease } from './slots-lease.ts';
import { subjectKey } from './subject-key.ts';
import { DAY_MS, MINUTE_MS, type Unit, unitsOf } from './units.ts';
import { UnitsLease } from './units-lease.ts';

export const ACQUIRE = new LuaScript(new URL('./acquire.lua', import.meta.url));

/** What one unit's part of an answer is made of. */
const REPLY_FIELDS = 4;
/** What stands before them. */
const REPLY_HEAD = 4;

/** What a subject's leases need to talk to Redis. */
export interface LeaseDesk extends Surroundings {
  readonly client: RedisClient;
  readonly keys: RedisKeys['limits'];
  readonly replicaId: string;
  /** Run id of the server that the connection leads to; empty: not known, or of several servers. */
  readonly serverId: string;
  /** Counts a call, and how long it took and which server it was once it is answered. */
  called(): void;
  answered(ms: number, serverId: string): void;
}

/** One subject's leases in this process, and the one call at a time that refills them. */
export class SubjectState {
  subject: Subject;
  leases: readonly Lease[];
  /** What others know it by. */
  readonly key: string;
  /** When it was last used, `performance.now()`. */
  seenAt = 0;
  readonly #desk: LeaseDesk;
  readonly #keys: readonly string[];
  #keepMs: number;
  /** What requests wait for, by lease: of the first, and of all. */
  #wants: number[] = [];
  #waiting: number[] = [];
  #calling: Promise<void> | null = null;
  /** The call is under way: what is wanted from now on is for the next one. */
  #sent = false;
  /** Of the state in Redis, as last heard. */
  #revision = 0;
  #epoch = '';

  constructor(subject: Subject, desk: LeaseDesk) {
    this.subject = subject;
    this.#desk = desk;
    this.key = subjectKey(subject);
    this.#keys = [desk.keys.buckets(this.key), desk.keys.slots(this.key)];
    this.leases = this.#leasesFor(subject);
    this.#keepMs = keepMsOf(this.leases);
  }

  /** The same subject with other limits; what is held and what runs carries over. */
  update(subject: Subject): void {
    this.leases = this.#leasesFor(subject);
    this.#keepMs = keepMsOf(this.leases);
    this.subject = subject;
    this.#wants = [];
    this.#waiting = [];
  }

  get calling(): boolean {
    return this.#calling !== null;
  }

  /** Requests run on it. */
  get busy(): boolean {
    return this.leases.some((lease) => lease.busy);
  }

  get holds(): boolean {
    return this.leases.some((lease) => lease.holds);
  }

  isDue(now: number): boolean {
    return this.leases.some((lease) => lease.isDue(now));
  }

  isScarce(now: number): boolean {
    return this.leases.some((lease) => lease.holds && lease.isScarce(now));
  }

  /** Says what a request needs; `fetch` gets it. Has to be said again after a call that was under way already. */
  want(lease: Lease, need: number): void {
    if (this.#sent) return;
    const i = this.leases.indexOf(lease);
    if (i < 0) return;
    this.#wants[i] ||= need;
    this.#waiting[i] = (this.#waiting[i] ?? 0) + need;
  }

  /**
   * Refills all leases in one call. Whoever comes while one runs waits for that one, and has to look again. Rejects when Redis
   * is away.
   */
  fetch(): Promise<void> {
    return this.#begin('take');
  }

  /** As `mode` says; after a call that runs. */
  async send(mode: CallMode): Promise<void> {
    while (this.#calling) await this.#calling.catch(() => undefined);
    await this.#begin(mode);
  }

  #begin(mode: CallMode): Promise<void> {
    this.#calling ??= this.#call(mode).finally(() => {
      this.#calling = null;
      this.#sent = false;
    });
    return this.#calling;
  }

  async #call(mode: CallMode): Promise<void> {
    // Requests of the same tick are in the same call.
    if (mode === 'take') await null;
    this.#sent = true;
    const sentAt = performance.now();
    const { leases } = this;
    const offers = leases.map((lease, i) => lease.offer(mode, this.#wants[i] ?? 0, this.#waiting[i] ?? 0, sentAt));
    if (mode === 'take') {
      this.#wants = [];
      this.#waiting = [];
    }
    this.#desk.called();
    let reply: unknown[];
    try {
      reply = await this.#run(offers);
    } catch (error) {
      for (const [i, offer] of offers.entries()) leases[i]?.failed(offer);
      throw error;
    }
    const now = performance.now();
    this.#desk.answered(now - sentAt, String(reply[3]));
    this.#hear(reply, leases, offers, sentAt, now);
  }

  async #run(offers: readonly Offer[]): Promise<unknown[]> {
    const { client, replicaId, replicas, serverId } = this.#desk;
    const state = [this.#keepMs, this.#revision, this.#epoch];
    const args: (string | number)[] = [replicaId, replicas, ...state, serverId, offers.length];
    for (const offer of offers) args.push(...offer.args);
    return (await ACQUIRE.run(client, this.#keys, args)) as unknown[];
  }

  #hear(
    reply: readonly unknown[],
    leases: readonly Lease[],
    offers: readonly Offer[],
    sentAt: number,
    now: number,
  ): void {
    const redisNow = Number(reply[0]);
    this.#revision = Number(reply[1]);
    this.#epoch = String(reply[2]);
    for (const [i, lease] of leases.entries()) {
      const at = REPLY_HEAD + i * REPLY_FIELDS;
      const [granted = 0, left = 0, waitMs = 0, windowEnds = 0] = reply.slice(at, at + REPLY_FIELDS).map(Number);
      const windowLeftMs = windowEnds === 0 ? Number.POSITIVE_INFINITY : windowEnds - redisNow;
      const offer = offers[i];
      if (offer) lease.granted({ granted, left, waitMs, windowEnds, windowLeftMs }, offer, sentAt, now);
    }
  }

  #leasesFor(subject: Subject): Lease[] {
    const before = new Map(this.leases?.map((lease) => [lease.unit.name, lease]));
    return unitsOf(subject).map((unit) => this.#lease(unit, before.get(unit.name)));
  }

  #lease(unit: Unit, before: Lease | undefined): Lease {
    if (unit.kind === 'slots') {
      return new SlotsLease(unit, this, this.#desk, before instanceof SlotsLease ? before : undefined);
    }
    return new UnitsLease(unit, this, this.#desk, before instanceof UnitsLease ? before : undefined);
  }
}

/** How long Redis keeps what nobody asks for: a bucket is full by then, a window over. A total is kept for ever, as people count. */
function keepMsOf(leases: readonly Lease[]): number {
  let keepMs = MINUTE_MS;
  for (const { unit } of leases) {
    const days = { day: 2, week: 8, month: 32, total: 36_500 };
    const windowMs = unit.window === null ? 2 * unit.windowMs : days[unit.window] * DAY_MS;
    keepMs = Math.max(keepMs, windowMs);
  }
  return keepMs;
}
