import { LuaScript, type RedisClient, type RedisKeys } from '../redis/index.ts';
import type { Subject } from './contract.ts';
import { Lease } from './lease.ts';
import { unitsOf, windowAt } from './units.ts';

export const ACQUIRE = new LuaScript(new URL('./acquire.lua', import.meta.url));

/** How long slots outlive a process that dies. */
const SLOTS_MS = 5_000;
/** A process stops trusting its slots so much earlier than Redis gives them away. */
const SLOTS_MARGIN_MS = 1_000;
/** Longer than any window but a total one, which is kept for a year after its last use. */
const KEEP_MS = 35 * 24 * 3_600_000;
const KEEP_TOTAL_MS = 400 * 24 * 3_600_000;

/** What a subject's leases need to talk to Redis. */
export interface LeaseDesk {
  readonly client: RedisClient;
  readonly keys: RedisKeys['limits'];
  readonly replicaId: string;
  readonly replicas: number;
}

/** What ACQUIRE works on, for one subject. */
export const keysOf = ({ keys }: LeaseDesk, subject: string): readonly string[] => [
  keys.buckets(subject),
  keys.slots(subject),
];

/** One subject's leases in this process, and the one call at a time that refills them. */
export class SubjectState {
  readonly subject: Subject;
  readonly key: string;
  readonly leases: readonly Lease[];
  /** When it was last looked at, `performance.now()`. */
  seenAt = 0;
  /** What is in hand is about to go back. */
  surplusDue = false;
  /** What requests wait for, by lease. */
  #waiting: number[] = [];
  #calling: Promise<void> | null = null;

  constructor(subject: Subject, key: string) {
    this.subject = subject;
    this.key = key;
    this.leases = unitsOf(subject).map((unit) => new Lease(unit));
  }

  get calling(): boolean {
    return this.#calling !== null;
  }

  /**
   * Refills all leases in one call; `needs` as in `leases`, 0 for what needs nothing. Calls that come while one runs wait
   * for that one. Rejects when Redis is away.
   */
  refill(desk: LeaseDesk, needs: readonly number[]): Promise<void> {
    needs.forEach((need, i) => {
      this.#waiting[i] = (this.#waiting[i] ?? 0) + need;
    });
    this.#calling ??= this.#call(desk, needs, false).finally(() => {
      this.#calling = null;
    });
    return this.#calling;
  }

  /** What is in hand goes back; slots in use stay. */
  giveBack(desk: LeaseDesk): Promise<void> {
    return this.#calling ?? this.#call(desk, [], true);
  }

  async #call(desk: LeaseDesk, needs: readonly number[], giveAll: boolean): Promise<void> {
    const now = performance.now();
    const { budget } = this.subject;
    const window = budget === null ? 0 : windowAt(budget.window, Date.now()).startMs;
    // Those that wait already are in the same tick as we: a microtask later all have said what they need.
    if (!giveAll) await null;
    const waiting = this.#waiting;
    this.#waiting = [];
    const calls = this.leases.map((lease, i) => offer(lease, needs[i] ?? 0, waiting[i] ?? 0, giveAll, window, now));
    const { client, replicaId, replicas } = desk;
    const keepMs = budget?.window === 'total' ? KEEP_TOTAL_MS : KEEP_MS;
    let reply: unknown;
    try {
      reply = await ACQUIRE.run(client, keysOf(desk, this.key), [
        replicaId,
        replicas,
        keepMs,
        calls.length,
        ...calls.flatMap(({ args }) => args),
      ]);
    } catch (error) {
      // What was to come back is lost, which harms nobody; what was owed is still owed.
      for (const [i, call] of calls.entries()) {
        const lease = this.leases[i];
        if (lease && call.owed > 0) lease.debt += call.owed;
      }
      throw error;
    }
    const numbers = (reply as unknown[]).map(Number);
    const at = performance.now();
    for (const [i, lease] of this.leases.entries()) {
      const [granted = 0, left = 0, waitMs = 0] = numbers.slice(1 + i * 3, 4 + i * 3);
      const call = calls[i];
      lease.granted(granted, left, waitMs, call?.want ?? 0, at);
      lease.window = window;
      // Counted from before the call: Redis counts from later.
      lease.expiresAt = now + SLOTS_MS - SLOTS_MARGIN_MS;
    }
  }
}

interface Offer {
  readonly args: readonly (string | number)[];
  readonly want: number;
  /** Taken from the lease's debt for this call. */
  readonly owed: number;
}

/** One unit's part of a call; what comes back leaves the lease now. */
function offer(lease: Lease, need: number, waiting: number, giveAll: boolean, window: number, now: number): Offer {
  const { unit } = lease;
  const common = [unit.name, unit.kind, unit.capacity];
  if (unit.kind === 'slots') {
    const want = need === 0 ? 0 : lease.inUse + need;
    const wish = giveAll ? lease.inUse : lease.inUse + Math.max(waiting, Math.ceil(lease.inUse / 2));
    return { args: [...common, SLOTS_MS, lease.inUse, want, wish, -1, 0], want, owed: 0 };
  }
  const owed = lease.debt + Math.max(0, -lease.available);
  let give = -owed;
  if (lease.available < 0) lease.available = 0;
  lease.debt = 0;
  const foreign = unit.kind === 'budget' && lease.window !== window;
  if ((giveAll || foreign) && lease.available > 0) {
    // Of a budget's window that is over, nothing can be spent any more.
    give += lease.available;
    lease.available = 0;
  }
  const want = need === 0 || unit.soft ? 0 : Math.max(1, need - lease.available);
  const wish = Math.max(want, lease.wish(waiting, now) - lease.available);
  const hint = lease.estimate(now);
  const pace = unit.kind === 'budget' ? window : unit.perMs;
  const args = [...common, pace, give, want, wish, hint === null || foreign ? -1 : Math.floor(hint), lease.window];
  return { args, want, owed };
}
