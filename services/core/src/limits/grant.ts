import type { Admission, Demand, LimitStatus } from './contract.ts';
import type { Lease } from './lease.ts';
import { statusOf } from './status.ts';

const NOTHING: Demand = { tokens: 0, money: 0 };

/** One request that was let in, and what has to go back when it is over. */
export class Grant implements Admission {
  readonly #leases: readonly Lease[];
  readonly #demand: Demand;
  /** Which were taken out of this replica's share, while Redis was away; null: none. */
  readonly #shared: ReadonlySet<Lease> | null;
  readonly #at: number;
  readonly #onOver: (leases: readonly Lease[]) => void;
  #over = false;
  #answered = false;

  constructor(
    leases: readonly Lease[],
    demand: Demand,
    shared: ReadonlySet<Lease> | null,
    at: number,
    onOver: (leases: readonly Lease[]) => void,
  ) {
    this.#leases = leases;
    this.#demand = demand;
    this.#shared = shared;
    this.#at = at;
    this.#onOver = onOver;
  }

  /** As it was when the request was let in, if asked at once. */
  get status(): LimitStatus {
    return statusOf(this.#leases, this.#at);
  }

  answered(): void {
    if (this.#over || this.#answered) return;
    this.#answered = true;
    const slots = this.#leases.filter(({ unit }) => unit.kind === 'slots');
    if (slots.length === 0) return;
    for (const lease of slots) {
      const taken = lease.unit.need(this.#demand);
      this.#giveBack(lease, taken, taken);
    }
    this.#onOver(slots);
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
    for (const lease of this.#leases) {
      const { unit } = lease;
      if (this.#answered && unit.kind === 'slots') continue;
      const taken = unit.need(this.#demand);
      // A request is a request, whatever it used; a slot comes free in any case.
      const used = unused || unit.kind === 'slots' ? 0 : unit.need(actual);
      this.#giveBack(lease, taken - used, taken);
    }
    this.#onOver(this.#leases);
  }

  #giveBack(lease: Lease, amount: number, taken: number): void {
    if (this.#shared?.has(lease)) lease.giveShare(amount);
    else lease.give(amount, this.#at, taken);
  }
}
