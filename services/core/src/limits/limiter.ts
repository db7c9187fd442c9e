import type { RedisClient, RedisKeys } from '../redis/index.ts';
import { BriefWaiters } from './brief-waiters.ts';
import type { Admission, AdmitOptions, Demand, Limiter, LimitStatus, Refusal, Subject } from './contract.ts';
import { Grant } from './grant.ts';
import type { Lease } from './lease.ts';
import { type LinkLog, RedisLink } from './redis-link.ts';
import { isRefusal, REDIS_LOSS, refusal, unchecked } from './refusal.ts';
import { Replicas } from './replicas.ts';
import { isOverspent, isStatusKnown, statusOf } from './status.ts';
import type { LeaseDesk, SubjectState } from './subject-state.ts';
import { MOST_SUBJECTS, SubjectTable } from './subject-table.ts';
import { WaitQueue } from './wait-queue.ts';

const TICK_MS = 1_000;
/** What a request gave back beyond what this process will need goes back after this: others may be waiting for it. */
const SURPLUS_MS = 2;
/** A slot may come free, and what others do not need be on its way back, while somebody asks for it: how often that is looked for, ... */
const LOOK_MS = 3;
/** ... and for how long at most. */
const MOST_LOOKING_MS = 30;
/** Many requests for a little: each may need several calls, but not for ever. */
const MOST_CALLS = 10;
/** When to come back for what is there but is wanted by many. */
const RETRY_MS = 50;
const STOP_MS = 1_000;

export interface LimiterOptions {
  /** Of its own: a request must not wait behind somebody's large reply. */
  readonly client: RedisClient;
  readonly keys: RedisKeys;
  /** Unique to the process. */
  readonly replicaId: string;
  /** A refusal, by kind of subject and name of the limit. */
  readonly onRefused?: (subject: string, limit: string) => void;
  /** Of each kind, that are remembered. */
  readonly mostSubjects?: number;
  readonly log: LinkLog;
}

/** Numbers for telemetry, since the start. */
export interface LimiterCounters {
  admitted: number;
  calls: number;
  /** Requests that had to wait for a call. */
  waited: number;
  /** By kind of subject and limit: `key requestsPerMinute`. */
  readonly refused: Map<string, number>;
  /** Let in though a budget was used up that does not refuse, by kind of subject and mode: `key shadow`. */
  readonly overspent: Map<string, number>;
}

type Outcome = Admission | Refusal;

/**
 * Lets requests in. Redis decides: what it gives out is never more than the buckets hold. This process spends what it was
 * given from memory, and asks for more before it runs out, so that hardly a request waits.
 */
export class RedisLimiter implements Limiter {
  readonly counters: LimiterCounters = { admitted: 0, calls: 0, waited: 0, refused: new Map(), overspent: new Map() };
  readonly #onRefused: LimiterOptions['onRefused'];
  readonly #link: RedisLink;
  readonly #replicas: Replicas;
  readonly #table: SubjectTable;
  readonly #queues = new Map<SubjectState, WaitQueue>();
  readonly #briefWaiters = new BriefWaiters();
  readonly #surplus = new Set<SubjectState>();
  #surplusTimer: NodeJS.Timeout | null = null;
  #timer: NodeJS.Timeout | null = null;
  #stopped = false;

  constructor({ client, keys, replicaId, log, onRefused, mostSubjects = MOST_SUBJECTS }: LimiterOptions) {
    this.#onRefused = onRefused;
    this.#replicas = new Replicas(client, keys.limits, replicaId);
    this.#link = new RedisLink(client, log, () => this.#table.tellAll());
    const { counters } = this;
    const [link, replicas] = [this.#link, this.#replicas];
    const desk: LeaseDesk = {
      client,
      keys: keys.limits,
      replicaId,
      get replicas() {
        return replicas.count;
      },
      shortages: replicas.shortages,
      surelyAway: link.surelyAway,
      reserveMs: link.reserveMs,
      get serverId() {
        return link.serverId;
      },
      called: () => {
        counters.calls++;
      },
      answered: (ms, serverId) => {
        link.answered(ms);
        link.reached(serverId);
      },
    };
    this.#table = new SubjectTable(desk, mostSubjects, (state) => (this.#queues.get(state)?.length ?? 0) > 0);
  }

  /** Resolves when it knows how many share the limits, or that Redis is away. */
  async start(): Promise<void> {
    this.#timer ??= setInterval(() => void this.#tick(), TICK_MS);
    await this.#link.start();
    // The first request should not be the one that teaches Redis the script.
    await this.#table.warmUp().catch(() => undefined);
    await this.#tick();
  }

  /** Leases go back; in a second at most. Requests that still run may be settled, but Redis does not hear of it. */
  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer) clearInterval(this.#timer);
    if (this.#surplusTimer) clearTimeout(this.#surplusTimer);
    const wasUp = this.#link.up;
    this.#link.stop();
    this.#replicas.stop();
    if (!wasUp) return;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((done) => {
      timer = setTimeout(done, STOP_MS);
    });
    await Promise.race([Promise.allSettled([this.#table.giveAllBack(), this.#replicas.leave()]), late]);
    clearTimeout(timer);
  }

  /** Whether Redis decides; if not, leases and this replica's share do. */
  get isUp(): boolean {
    return this.#link.up;
  }

  /** Replicas that share the limits, as last heard. */
  get replicas(): number {
    return this.#replicas.count;
  }

  /** Subjects that are remembered. */
  get subjects(): number {
    return this.#table.size;
  }

  admit(subjects: readonly Subject[], demand: Demand, options: AdmitOptions): Outcome | Promise<Outcome> {
    const leases: Lease[] = [];
    const now = performance.now();
    for (const subject of subjects) {
      const state = this.#table.of(subject, now);
      for (const lease of state.leases) leases.push(lease);
    }
    if (options.queue !== null) return this.#admitInTurn(leases, demand, options);
    const outcome = this.#attempt(leases, demand, options, now);
    if (outcome instanceof Promise) return outcome.then((later) => this.#count(later, leases));
    return this.#count(outcome, leases);
  }

  statusOf(subjects: readonly Subject[]): LimitStatus {
    const now = performance.now();
    const leases: Lease[] = [];
    for (const subject of subjects) {
      const state = this.#table.of(subject, now);
      // Redis is asked for the next one who wants to know.
      if (this.#link.up && !state.calling && !isStatusKnown(state.leases, now)) void this.#fetch(state);
      for (const lease of state.leases) leases.push(lease);
    }
    return statusOf(leases, now);
  }

  #admitInTurn(leases: readonly Lease[], demand: Demand, options: AdmitOptions): Outcome | Promise<Outcome> {
    const [first] = leases;
    if (!first || options.queue === null)
      return this.#count(this.#let(leases, demand, null, performance.now()), leases);
    const { maxWaiting, maxWaitMs } = options.queue;
    const queue = this.#queues.get(first.owner);
    const now = performance.now();
    const giveUpAt = Math.min(options.deadlineAt, now + maxWaitMs);
    const retry = (): Outcome | Promise<Outcome> => this.#attempt(leases, demand, options, performance.now());
    const wait = (refused: Refusal | null): Outcome | Promise<Outcome> => {
      const line = this.#queues.get(first.owner) ?? new WaitQueue();
      if (refused !== null && (line.length >= maxWaiting || !line.isWorthIt(refused, giveUpAt))) {
        return this.#count(refused, leases);
      }
      this.#queues.set(first.owner, line);
      return line.wait(retry, giveUpAt, refused).then((outcome) => {
        if (line.length === 0 && this.#queues.get(first.owner) === line) this.#queues.delete(first.owner);
        return this.#count(outcome, leases);
      });
    };
    // Nobody overtakes those that wait already; where too many do, the answer is what it would be without a queue.
    const waiting = queue?.length ?? 0;
    if (waiting > 0 && waiting < maxWaiting) return wait(null);
    const settle = (outcome: Outcome): Outcome | Promise<Outcome> =>
      isRefusal(outcome) && waiting === 0 ? wait(outcome) : this.#count(outcome, leases);
    if (waiting > 0) return this.#count(this.#refuseFull(leases, demand, now), leases);
    const outcome = retry();
    return outcome instanceof Promise ? outcome.then(settle) : settle(outcome);
  }

  /** The refusal of whoever finds the queue full: of the limit that those before it wait for. */
  #refuseFull(leases: readonly Lease[], demand: Demand, now: number): Refusal {
    const lease = leases.find((one) => !one.has(one.unit.need(demand), now)) ?? leases[0];
    if (!lease) throw new Error('a queue without a limit');
    return refusal(lease, Math.max(RETRY_MS, lease.waitMs(lease.unit.need(demand), now)), leases, now);
  }

  #count(outcome: Outcome, leases: readonly Lease[]): Outcome {
    if (isRefusal(outcome)) {
      add(this.counters.refused, outcome.limit);
      const [subject = '', limit = ''] = outcome.limit.split(' ');
      this.#onRefused?.(subject, limit);
      return outcome;
    }
    this.counters.admitted++;
    for (const lease of leases) {
      if (!lease.unit.soft || !isOverspent(lease, performance.now())) continue;
      const { kind, budget } = lease.owner.subject;
      add(this.counters.overspent, `${kind} ${budget?.mode}`);
    }
    return outcome;
  }

  #attempt(leases: readonly Lease[], demand: Demand, options: AdmitOptions, now: number): Outcome | Promise<Outcome> {
    if (!this.#link.up) return this.#whileAway(leases, demand, options, now);
    const outcome = this.#fromLeases(leases, demand, now);
    const lacking = briefLack(outcome, leases);
    if (outcome !== null && lacking === null) return outcome;
    this.counters.waited++;
    return this.#ask(leases, demand, options, lacking);
  }

  /** Null: Redis has to be asked. */
  #fromLeases(leases: readonly Lease[], demand: Demand, now: number): Outcome | null {
    let lacks = false;
    for (const lease of leases) {
      const need = lease.unit.need(demand);
      if (need === 0 || lease.has(need, now)) continue;
      lacks = true;
      if (lease.emptyUntil(need, now) > 0) return refusal(lease, lease.waitMs(need, now), leases, now);
    }
    if (lacks) return null;
    for (const lease of leases) {
      const need = lease.unit.need(demand);
      if (need > 0) lease.take(need, now);
      if (lease.low(now) && !lease.owner.calling) void this.#fetch(lease.owner);
    }
    return this.#let(leases, demand, null, now);
  }

  /** `lacking`: Redis had nothing for another request a moment ago; it is asked again, a moment later, for all that wait. */
  async #ask(
    leases: readonly Lease[],
    demand: Demand,
    options: AdmitOptions,
    lacking: Lease | null,
    hasWaited = false,
  ): Promise<Outcome> {
    const withoutRedis = (): Outcome | Promise<Outcome> => {
      const since = performance.now();
      // Once is enough: it may be slow again and again.
      return hasWaited
        ? this.#withoutRedis(leases, demand, options, since)
        : this.#whileAway(leases, demand, options, since);
    };
    let lack = lacking;
    let giveUpAt: number | null = null;
    for (let calls = 0; calls < MOST_CALLS; ) {
      let now = performance.now();
      if (lack !== null) {
        // In a queue there is more time, of which the queue takes care.
        giveUpAt ??= options.queue === null ? Math.min(now + MOST_LOOKING_MS, options.deadlineAt) : now;
        const until = lack.emptyUntil(lack.unit.need(demand), now);
        await this.#briefWaiters.wait(lack.owner, Math.max(LOOK_MS, until - now));
        now = performance.now();
        if (!this.#link.up) return withoutRedis();
      }
      const known = lack === null ? null : this.#fromLeases(leases, demand, now);
      let outcome = known;
      if (known === null) {
        calls++;
        if (!(await this.#link.inTime(this.#fetchAll(leases, demand)))) {
          return withoutRedis();
        }
        outcome = this.#fromLeases(leases, demand, performance.now());
        if (outcome === null) continue;
      }
      lack = briefLack(outcome, leases);
      if (outcome !== null && (lack === null || (giveUpAt !== null && performance.now() >= giveUpAt))) return outcome;
    }
    const now = performance.now();
    const short = leases.find((lease) => !lease.has(lease.unit.need(demand), now));
    if (short) return refusal(short, RETRY_MS, leases, now);
    return this.#fromLeases(leases, demand, now) ?? this.#withoutRedis(leases, demand, options, now);
  }

  /** Asks for all subjects that lack something, each in one call. */
  #fetchAll(leases: readonly Lease[], demand: Demand): Promise<unknown> {
    const now = performance.now();
    const lacking = new Set<SubjectState>();
    for (const lease of leases) {
      const need = lease.unit.need(demand);
      if (need > 0 && !lease.has(need, now)) lacking.add(lease.owner);
    }
    for (const lease of leases) if (lacking.has(lease.owner)) lease.owner.want(lease, lease.unit.need(demand));
    return Promise.all([...lacking].map((state) => this.#fetch(state)));
  }

  /** Whoever waited may have gone meanwhile: what came for them is for others. */
  #fetch(state: SubjectState): Promise<void> {
    return state.fetch().then(
      () => this.#spare(state.leases, performance.now()),
      (error: unknown) => this.#failed(error),
    );
  }

  #failed(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    this.#link.fails(reason, reason !== 'Command timed out');
  }

  /** A Redis that may only be slow is waited for where the answer would be that nothing can be checked. */
  #whileAway(leases: readonly Lease[], demand: Demand, options: AdmitOptions, now: number): Outcome | Promise<Outcome> {
    const outcome = this.#withoutRedis(leases, demand, options, now);
    if (!isRefusal(outcome) || outcome.limit !== REDIS_LOSS || this.#link.surelyAway(now)) return outcome;
    return this.#link.backSoon().then((isBack) => {
      if (!isBack) return outcome;
      return this.#fromLeases(leases, demand, performance.now()) ?? this.#ask(leases, demand, options, null, true);
    });
  }

  #withoutRedis(leases: readonly Lease[], demand: Demand, options: AdmitOptions, now: number): Outcome {
    const since = Math.max(this.#link.awaySince, this.#replicas.knownSince);
    for (const lease of leases) {
      const need = lease.unit.need(demand);
      if (need === 0 || lease.has(need, now)) continue;
      if (options.onRedisLoss === 'deny') return unchecked(leases, now);
      if (lease.hasShare(need, since, now)) continue;
      if (lease.unit.kind === 'budget') return unchecked(leases, now);
      const { capacity, windowMs } = lease.unit;
      return refusal(lease, Math.ceil((need * this.replicas * windowMs) / capacity), leases, now);
    }
    const shared = new Set<Lease>();
    for (const lease of leases) {
      const need = lease.unit.need(demand);
      if (need === 0) continue;
      if (lease.has(need, now)) lease.take(need, now);
      else {
        lease.takeShare(need);
        shared.add(lease);
      }
    }
    return this.#let(leases, demand, shared, now);
  }

  #let(leases: readonly Lease[], demand: Demand, shared: ReadonlySet<Lease> | null, now: number): Admission {
    return new Grant(leases, demand, shared, now, this.#isOver);
  }

  /** Something came free: whoever waits for it here is tried, and others may have what is too much. */
  readonly #isOver = (leases: readonly Lease[]): void => {
    const now = performance.now();
    for (const lease of leases) {
      if (this.#queues.size > 0) this.#queues.get(lease.owner)?.wake();
      if (!this.#briefWaiters.isEmpty) this.#briefWaiters.wake(lease.owner);
    }
    this.#spare(leases, now);
  };

  #spare(leases: readonly Lease[], now: number): void {
    for (const lease of leases) if (lease.hasSurplus(now)) this.#surplus.add(lease.owner);
    this.#giveSurplusSoon();
  }

  #giveSurplusSoon(): void {
    if (this.#surplus.size === 0 || this.#surplusTimer !== null || this.#stopped) return;
    this.#surplusTimer = setTimeout(() => {
      this.#surplusTimer = null;
      this.#giveSurplus();
    }, SURPLUS_MS);
  }

  #giveSurplus(): void {
    const now = performance.now();
    for (const state of this.#surplus) {
      if (state.calling || !this.#link.up) continue;
      this.#surplus.delete(state);
      if (!state.leases.some((lease) => lease.hasSurplus(now))) continue;
      state.send('return').catch((error: unknown) => this.#failed(error));
    }
    if (!this.#link.up) this.#surplus.clear();
    // Those that a call was under way for.
    this.#giveSurplusSoon();
  }

  async #beat(): Promise<void> {
    const sentAt = performance.now();
    await this.#replicas.beat();
    this.#link.answered(performance.now() - sentAt);
  }

  async #tick(): Promise<void> {
    if (this.#stopped || !this.#link.up) return;
    await Promise.all([
      this.#beat().catch((error: unknown) => this.#failed(error)),
      this.#table.tend().catch((error: unknown) => this.#failed(error)),
    ]);
  }
}

/** The limit that was the reason for a refusal, where that may change at any moment. */
function briefLack(outcome: Outcome | null, leases: readonly Lease[]): Lease | null {
  if (outcome === null || !isRefusal(outcome) || outcome.error.retryAfterMs === undefined) return null;
  return (
    leases.find(({ unit, owner, isBrief }) => isBrief && outcome.limit === `${owner.subject.kind} ${unit.name}`) ?? null
  );
}

function add(map: Map<string, number>, key: string): void {
  map.set(key, (map.get(key) ?? 0) + 1);
}
