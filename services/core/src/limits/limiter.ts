import { LuaScript, type RedisClient, type RedisKeys } from '../redis/index.ts';
import type { Admission, AdmitOptions, Demand, Limiter, Refusal, Subject } from './contract.ts';
import { Grant, type Part } from './grant.ts';
import { refusal, unchecked } from './refusal.ts';
import { statusOf } from './status.ts';
import { ACQUIRE, keysOf, type LeaseDesk, SubjectState } from './subject-state.ts';
import { isRefusal, WaitQueue } from './wait-queue.ts';

const HEARTBEAT = new LuaScript(new URL('./heartbeat.lua', import.meta.url));

const TICK_MS = 1_000;
const DEAD_MS = 3_500;
/** A request waits so long for one answer of Redis, and then for none until it answers again. */
const PATIENCE_MS = 40;
/** Many requests for a little: each may need several calls, but not for ever. */
const LONGEST_ASK_MS = 250;
const RETRY_MS = 50;
const PING_MS = 50;
/** What a request gave back beyond what this process will need goes back after this: others may be waiting for it. */
const SURPLUS_MS = 10;
/** Leases of a subject that nobody uses go back after this ... */
const IDLE_MS = 2_000;
/** ... and the subject is forgotten after this. */
const FORGET_MS = 60_000;

export interface LimiterOptions {
  /** Of its own: a request must not wait behind somebody's large reply. */
  readonly client: RedisClient;
  readonly keys: RedisKeys;
  /** Unique to the process. */
  readonly replicaId: string;
  /** A refusal, by kind of subject and name of the limit. */
  readonly onRefused?: (subject: string, limit: string) => void;
  readonly log: { info(message: string, fields?: object): void; warn(message: string, fields?: object): void };
}

/** Numbers for telemetry, since the start. */
export interface LimiterCounters {
  admitted: number;
  calls: number;
  /** Requests that had to wait for a call. */
  waited: number;
  /** By kind of subject and limit: `key requestsPerMinute`. */
  readonly refused: Map<string, number>;
}

/**
 * Lets requests in. Redis decides: what it gives out is never more than the buckets hold. This process spends what it was
 * given from memory, and asks for more before it runs out, so that hardly a request waits.
 */
export class RedisLimiter implements Limiter {
  readonly counters: LimiterCounters = { admitted: 0, calls: 0, waited: 0, refused: new Map() };
  readonly #options: LimiterOptions;
  readonly #states = new Map<string, SubjectState>();
  readonly #queues = new Map<string, WaitQueue>();
  #replicas = 1;
  #away = false;
  #timer: NodeJS.Timeout | null = null;
  #stopped = false;

  constructor(options: LimiterOptions) {
    this.#options = options;
  }

  /** Resolves when it knows how many share the limits, or that Redis is away. */
  async start(): Promise<void> {
    this.#timer ??= setInterval(() => void this.#tick(), TICK_MS);
    // The first request should not be the one that teaches Redis the script.
    await ACQUIRE.run(this.#options.client, keysOf(this.#desk, 'none'), [this.#options.replicaId, 1, 1, 0]).catch(
      () => null,
    );
    await this.#tick();
  }

  /** Leases go back; in a second at most. */
  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer) clearInterval(this.#timer);
    if (!this.#up) return;
    const { client, keys, replicaId } = this.#options;
    const backs = [...this.#states.values()].map((state) => state.giveBack(this.#desk));
    const left = HEARTBEAT.run(client, [keys.limits.replicas], [replicaId, DEAD_MS, 'leave']);
    await Promise.race([Promise.allSettled([...backs, left]), pause(1_000)]);
  }

  /** Replicas that share the limits, as last heard. */
  get replicas(): number {
    return this.#replicas;
  }

  get #desk(): LeaseDesk {
    const { client, keys, replicaId } = this.#options;
    return { client, keys: keys.limits, replicaId, replicas: this.#replicas };
  }

  get #up(): boolean {
    return !this.#away && this.#options.client.status === 'ready';
  }

  admit(
    subjects: readonly Subject[],
    demand: Demand,
    options: AdmitOptions,
  ): Admission | Refusal | Promise<Admission | Refusal> {
    const states = this.#statesOf(subjects);
    const [first] = states;
    if (!first) return this.#let([], states, performance.now());
    const queue = options.queue === null ? undefined : this.#queues.get(first.key);
    if (queue !== undefined && queue.length > 0) return this.#enqueue(first, states, demand, options, 0);
    const outcome = this.#attempt(states, demand, options);
    if (options.queue === null) return this.#told(outcome);
    if (outcome instanceof Promise) {
      return outcome.then((settled) => this.#orWait(settled, first, states, demand, options));
    }
    return this.#orWait(outcome, first, states, demand, options);
  }

  #told(outcome: Outcome | Promise<Outcome>): Admission | Refusal | Promise<Admission | Refusal> {
    if (outcome instanceof Promise) return outcome.then((settled) => this.#count(settled));
    return this.#count(outcome);
  }

  #count({ result, what }: Outcome): Admission | Refusal {
    if (what === null) this.counters.admitted++;
    else {
      this.counters.refused.set(what, (this.counters.refused.get(what) ?? 0) + 1);
      const [subject = '', limit = ''] = what.split(' ');
      this.#options.onRefused?.(subject, limit);
    }
    return result;
  }

  #orWait(
    outcome: Outcome,
    first: SubjectState,
    states: readonly SubjectState[],
    demand: Demand,
    options: AdmitOptions,
  ): Admission | Refusal | Promise<Admission | Refusal> {
    const { queue } = options;
    const waitMs = isRefusal(outcome.result) ? (outcome.result.error.retryAfterMs ?? Number.POSITIVE_INFINITY) : 0;
    const isSlots = outcome.what?.endsWith('concurrency') === true;
    if (queue === null || outcome.what === null || (waitMs > queue.maxWaitMs && !isSlots)) return this.#count(outcome);
    if ((this.#queues.get(first.key)?.length ?? 0) >= queue.maxWaiting) return this.#count(outcome);
    return this.#enqueue(first, states, demand, options, isSlots ? SLOT_LOOK_MS : waitMs);
  }

  #enqueue(
    first: SubjectState,
    states: readonly SubjectState[],
    demand: Demand,
    options: AdmitOptions,
    firstTryInMs: number,
  ): Admission | Refusal | Promise<Admission | Refusal> {
    let queue = this.#queues.get(first.key);
    if (queue === undefined) {
      queue = new WaitQueue();
      this.#queues.set(first.key, queue);
    }
    const maxWaiting = options.queue?.maxWaiting ?? 0;
    if (queue.length >= maxWaiting) return this.#told(this.#attempt(states, demand, options));
    const giveUpAt = Math.min(options.deadlineAt, performance.now() + (options.queue?.maxWaitMs ?? 0));
    return queue.wait(() => this.#told(this.#attempt(states, demand, options)), giveUpAt, firstTryInMs);
  }

  #attempt(states: readonly SubjectState[], demand: Demand, options: AdmitOptions): Outcome | Promise<Outcome> {
    const now = performance.now();
    if (!this.#up) return this.#withoutRedis(states, demand, options, now);
    const outcome = this.#try(states, demand, now);
    if (outcome !== null) return outcome;
    this.counters.waited++;
    return this.#ask(states, demand, options);
  }

  /** Null: Redis has to be asked. */
  #try(states: readonly SubjectState[], demand: Demand, now: number): Outcome | null {
    let lacks = false;
    for (const state of states) {
      for (const lease of state.leases) {
        const need = lease.unit.need(demand);
        if (need === 0 || lease.has(need, now)) continue;
        lacks = true;
        if (lease.unit.kind === 'bucket' && need > lease.unit.capacity) {
          return this.#refuse(state, lease.unit.name, lease.unit.capacity, Number.POSITIVE_INFINITY, states, now);
        }
        const from = lease.emptyFrom(need, now);
        if (from > 0) return this.#refuse(state, lease.unit.name, lease.unit.capacity, from - now, states, now);
      }
    }
    if (lacks) return null;
    const parts: Part[] = [];
    for (const state of states) {
      let low = false;
      for (const lease of state.leases) {
        const need = lease.unit.need(demand);
        lease.take(need, now);
        parts.push({ lease, amount: need, shared: false });
        low ||= lease.low;
      }
      state.seenAt = now;
      if (low && !state.calling)
        this.#refill(
          state,
          state.leases.map(() => 1),
        );
    }
    return { result: this.#let(parts, states, now), what: null };
  }

  async #ask(states: readonly SubjectState[], demand: Demand, options: AdmitOptions): Promise<Outcome> {
    const began = performance.now();
    for (;;) {
      const now = performance.now();
      const calls = states
        .filter((state) => state.leases.some((lease) => !lease.has(lease.unit.need(demand), now)))
        .map((state) =>
          this.#refill(
            state,
            state.leases.map((lease) => lease.unit.need(demand)),
          ),
        );
      const answered = await inTime(Promise.all(calls), PATIENCE_MS);
      if (!answered || !this.#up) {
        if (!answered) this.#goesAway('it does not answer in time');
        return this.#withoutRedis(states, demand, options, performance.now());
      }
      const outcome = this.#try(states, demand, performance.now());
      if (outcome !== null) return outcome;
      if (performance.now() - began > LONGEST_ASK_MS || performance.now() > options.deadlineAt) {
        const [state] = states;
        const lease = state?.leases.find((one) => !one.has(one.unit.need(demand), performance.now()));
        if (!state || !lease) continue;
        return this.#refuse(state, lease.unit.name, lease.unit.capacity, RETRY_MS, states, performance.now());
      }
    }
  }

  /** Never rejects: false when Redis failed. */
  #refill(state: SubjectState, needs: readonly number[]): Promise<boolean> {
    if (!state.calling) this.counters.calls++;
    return state.refill(this.#desk, needs).then(
      () => true,
      (error: unknown) => {
        this.#goesAway(error instanceof Error ? error.message : String(error));
        return false;
      },
    );
  }

  #withoutRedis(states: readonly SubjectState[], demand: Demand, options: AdmitOptions, now: number): Outcome {
    for (const state of states) {
      for (const lease of state.leases) {
        const need = lease.unit.need(demand);
        if (need === 0 || lease.has(need, now)) continue;
        if (options.onRedisLoss === 'deny') return { result: unchecked(statusOf(states, now)), what: 'redis loss' };
        if (lease.hasShare(need, this.#replicas, now)) continue;
        const { name, capacity, perMs } = lease.unit;
        const waitMs = perMs > 0 ? Math.ceil((need * this.#replicas) / perMs) : TICK_MS;
        return this.#refuse(state, name, capacity, waitMs, states, now);
      }
    }
    const parts: Part[] = [];
    for (const state of states) {
      state.seenAt = now;
      for (const lease of state.leases) {
        const need = lease.unit.need(demand);
        const shared = !lease.has(need, now);
        if (shared) lease.takeShare(need);
        else lease.take(need, now);
        parts.push({ lease, amount: need, shared });
      }
    }
    return { result: this.#let(parts, states, now), what: null };
  }

  #refuse(
    state: SubjectState,
    unit: Parameters<typeof refusal>[1],
    capacity: number,
    waitMs: number,
    states: readonly SubjectState[],
    now: number,
  ): Outcome {
    const result = refusal(state.subject, unit, capacity, waitMs, statusOf(states, now));
    return { result, what: `${state.subject.kind} ${unit}` };
  }

  #let(parts: readonly Part[], states: readonly SubjectState[], now: number): Admission {
    return new Grant(parts, states, now, this.#released);
  }

  /** Slots came free: whoever waits for them is tried. */
  readonly #released = (states: readonly SubjectState[]): void => {
    const now = performance.now();
    for (const state of states) {
      if (this.#queues.size > 0) this.#queues.get(state.key)?.wake();
      if (!state.surplusDue && state.leases.some((lease) => lease.hasSurplus(now))) this.#giveSurplus(state);
    }
  };

  #giveSurplus(state: SubjectState): void {
    state.surplusDue = true;
    setTimeout(() => {
      state.surplusDue = false;
      if (!this.#up || this.#stopped || state.calling) return;
      this.counters.calls++;
      void state.giveBack(this.#desk).catch(() => undefined);
    }, SURPLUS_MS).unref();
  }

  #statesOf(subjects: readonly Subject[]): SubjectState[] {
    const states: SubjectState[] = [];
    for (const subject of subjects) {
      const key = `${subject.kind}:${subject.id}`;
      let state = this.#states.get(key);
      if (state === undefined || (state.subject !== subject && !sameLimits(state.subject, subject))) {
        // Other limits than before: what is left of the old leases goes back.
        if (state !== undefined && this.#up) void state.giveBack(this.#desk).catch(() => undefined);
        state = new SubjectState(subject, key);
        if (state.leases.length === 0) continue;
        this.#states.set(key, state);
      }
      states.push(state);
    }
    return states;
  }

  async #tick(): Promise<void> {
    if (!this.#up || this.#stopped) return;
    const { client, keys, replicaId } = this.#options;
    const now = performance.now();
    for (const [key, state] of this.#states) this.#tend(key, state, now);
    try {
      this.#replicas = Math.max(1, Number(await HEARTBEAT.run(client, [keys.limits.replicas], [replicaId, DEAD_MS])));
    } catch (error) {
      this.#goesAway(error instanceof Error ? error.message : String(error));
    }
  }

  #tend(key: string, state: SubjectState, now: number): void {
    if (state.calling) return;
    const idleMs = now - state.seenAt;
    const busy = state.leases.some(({ inUse }) => inUse > 0);
    const owes = state.leases.some(({ debt }) => debt !== 0);
    const holds = state.leases.some(({ available }) => available > 0);
    if (idleMs > IDLE_MS && holds) {
      this.counters.calls++;
      void state.giveBack(this.#desk).catch(() => undefined);
    } else if (busy || owes) {
      // Slots are held by being renewed.
      this.#refill(state, []);
    } else if (idleMs > FORGET_MS && (this.#queues.get(key)?.length ?? 0) === 0) {
      this.#states.delete(key);
      this.#queues.delete(key);
    }
  }

  #goesAway(reason: string): void {
    if (this.#away || this.#stopped) return;
    this.#away = true;
    this.#options.log.warn('limits are kept without Redis', { reason });
    void this.#awaitReturn();
  }

  async #awaitReturn(): Promise<void> {
    const { client, log } = this.#options;
    while (!this.#stopped) {
      try {
        await client.ping();
        break;
      } catch {
        await pause(PING_MS);
      }
    }
    if (this.#stopped) return;
    this.#away = false;
    log.info('limits are kept in Redis again');
    // What was spent meanwhile is told before anything new is taken.
    for (const state of this.#states.values())
      if (state.leases.some(({ debt }) => debt !== 0)) void this.#refill(state, []);
  }
}

interface Outcome {
  readonly result: Admission | Refusal;
  /** Which limit refused; null: let in. */
  readonly what: string | null;
}

/** How often somebody who waits for a slot of another replica looks. */
const SLOT_LOOK_MS = 50;

const pause = (ms: number): Promise<void> =>
  new Promise((done) => {
    setTimeout(done, ms).unref();
  });

/** Whether it is over within `ms`, whatever came of it. Time in which this process itself was busy does not count. */
async function inTime(work: Promise<unknown>, ms: number): Promise<boolean> {
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

/** A timer that comes so much too late tells of a busy process. */
const LATE_MS = 3;

function sameLimits(a: Subject, b: Subject): boolean {
  return JSON.stringify([a.limits, a.budget]) === JSON.stringify([b.limits, b.budget]);
}
