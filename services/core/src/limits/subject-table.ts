import type { Subject, SubjectKind } from './contract.ts';
import { ACQUIRE, type LeaseDesk, SubjectState } from './subject-state.ts';

/** What nobody uses goes back after this where little is left for others ... */
const IDLE_SCARCE_MS = 500;
/** ... and after this in any case; ... */
const IDLE_MS = 3_000;
/** ... and the subject is forgotten. */
const FORGET_MS = 30_000;
/** More subjects of a kind than this are not remembered. */
export const MOST_SUBJECTS = 100_000;
/** How many may be looked through for one that can go. */
const MOST_TRIED = 50;
/** Calls that one look after all subjects may make; the others have their turn a second later. */
const MOST_CALLS = 2_000;
/** Subjects between which requests have their turn. */
const SLICE = 2_000;

/** The subjects that this process has leases of. */
export class SubjectTable {
  readonly #desk: LeaseDesk;
  readonly #isAwaited: (state: SubjectState) => boolean;
  readonly #byKind: Record<SubjectKind, Map<string, SubjectState>> = {
    key: new Map(),
    group: new Map(),
    user: new Map(),
    model: new Map(),
    provider: new Map(),
  };
  readonly #most: number;
  #tending = false;

  /** `isAwaited` tells of subjects that requests wait for, which stay; `most` of each kind are remembered. */
  constructor(desk: LeaseDesk, most: number, isAwaited: (state: SubjectState) => boolean) {
    this.#most = most;
    this.#desk = desk;
    this.#isAwaited = isAwaited;
  }

  get size(): number {
    return Object.values(this.#byKind).reduce((sum, states) => sum + states.size, 0);
  }

  of(subject: Subject, now: number): SubjectState {
    const states = this.#byKind[subject.kind];
    let state = states.get(subject.id);
    if (state === undefined) {
      if (states.size >= this.#most) this.#makeRoom(states, now);
      state = new SubjectState(subject, this.#desk);
      states.set(subject.id, state);
    } else if (state.subject !== subject) {
      if (!haveSameLimits(state.subject, subject)) state.update(subject);
      else state.subject = subject;
    }
    state.seenAt = now;
    return state;
  }

  /** Teaches Redis the script. */
  async warmUp(): Promise<void> {
    const { client, keys, replicaId } = this.#desk;
    await ACQUIRE.run(client, [keys.buckets('none'), keys.slots('none')], [replicaId, 1, 1, 0, '', '', 0]);
  }

  /** Debts are told, slots renewed, what is idle goes back and is forgotten. */
  async tend(): Promise<void> {
    if (this.#tending) return;
    this.#tending = true;
    try {
      const calls: Promise<void>[] = [];
      let seen = 0;
      for (const states of Object.values(this.#byKind)) {
        for (const [id, state] of states) {
          if (++seen % SLICE === 0) await new Promise((turn) => setImmediate(turn));
          const call = calls.length < MOST_CALLS ? this.#look(states, id, state) : null;
          if (call !== null) calls.push(call);
        }
      }
      await Promise.all(calls);
    } finally {
      this.#tending = false;
    }
  }

  /** What Redis must know of before it gives out anything more: debts, slots in use, and what was left if it has forgotten. */
  async tellAll(): Promise<void> {
    await this.#sendAll('tell');
  }

  async giveAllBack(): Promise<void> {
    await this.#sendAll('empty');
  }

  async #sendAll(mode: 'tell' | 'empty'): Promise<void> {
    const states = Object.values(this.#byKind).flatMap((some) => [...some.values()]);
    for (let i = 0; i < states.length; i += SLICE) {
      await Promise.all(states.slice(i, i + SLICE).map((state) => state.send(mode)));
    }
  }

  #look(states: Map<string, SubjectState>, id: string, state: SubjectState): Promise<void> | null {
    if (state.calling) return null;
    const now = performance.now();
    const idleMs = now - state.seenAt;
    const isIdle = idleMs > IDLE_MS || (idleMs > IDLE_SCARCE_MS && state.isScarce(now));
    if (isIdle && state.holds) return state.send('empty');
    if (state.isDue(now)) return state.send(isIdle ? 'tell' : 'take');
    if (idleMs > FORGET_MS && !state.busy && !this.#isAwaited(state)) states.delete(id);
    return null;
  }

  /** The oldest that nobody uses goes, with what it holds: that is lost, which harms nobody. */
  #makeRoom(states: Map<string, SubjectState>, now: number): void {
    let tried = 0;
    for (const [id, state] of states) {
      if (!state.busy && !state.isDue(now) && !this.#isAwaited(state)) {
        states.delete(id);
        return;
      }
      // Those that stay are not tried first the next time.
      states.delete(id);
      states.set(id, state);
      if (++tried === MOST_TRIED) return;
    }
  }
}

function haveSameLimits(a: Subject, b: Subject): boolean {
  if (a.limits === b.limits && a.budget === b.budget) return true;
  return JSON.stringify([a.limits, a.budget]) === JSON.stringify([b.limits, b.budget]);
}
