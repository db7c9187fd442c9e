import type { Admission, Demand, LimitStatus } from './contract.ts';
import type { Lease } from './lease.ts';
import { statusOf } from './status.ts';
import type { SubjectState } from './subject-state.ts';

/** What one request took of one lease. */
export interface Part {
  readonly lease: Lease;
  readonly amount: number;
  /** Out of this replica's share, while Redis was away. */
  readonly shared: boolean;
}

const NOTHING: Demand = { tokens: 0, money: 0 };

/** One request that was let in, and what has to go back when it is over. */
export class Grant implements Admission {
  readonly #parts: readonly Part[];
  readonly #states: readonly SubjectState[];
  readonly #at: number;
  readonly #onOver: (states: readonly SubjectState[]) => void;
  #over = false;

  constructor(
    parts: readonly Part[],
    states: readonly SubjectState[],
    at: number,
    onOver: (states: readonly SubjectState[]) => void,
  ) {
    this.#parts = parts;
    this.#states = states;
    this.#at = at;
    this.#onOver = onOver;
  }

  /** As it was when the request was let in, if asked at once. */
  get status(): LimitStatus {
    return statusOf(this.#states, this.#at);
  }

  settle(actual: Demand): void {
    this.#end(actual, false);
  }

  release(): void {
    this.#end(NOTHING, true);
  }

  #end(actual: Demand, unused: boolean): void {
    if (this.#over) return;
    this.#over = true;
    for (const { lease, amount, shared } of this.#parts) {
      const { kind, name } = lease.unit;
      const counts = kind === 'bucket' && name.startsWith('requests');
      // A request is a request, whatever it used; a slot comes free in any case.
      const used = unused || kind === 'slots' ? 0 : counts ? amount : lease.unit.need(actual);
      const back = amount - used;
      if (back === 0) continue;
      if (shared) lease.giveShare(back);
      else lease.give(back);
    }
    this.#onOver(this.#states);
  }
}
