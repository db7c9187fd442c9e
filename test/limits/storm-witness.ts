import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import type { ReceivedRequest, SimulatorProcess } from '../support/simulator-process.ts';

/** The simulator remembers its last thousand requests: they are fetched often enough that none is missed. */
const LOOK_MS = 200;
const LAST_ONES_MS = 5_000;

/** What the simulator saw of each model: the independent count of what was let through. */
export class Witness {
  readonly #simulator: SimulatorProcess;
  readonly #seen = new Map<number, ReceivedRequest>();
  readonly #watching: Promise<void>;
  #since = 0;
  #first = 0;
  #stopping = false;

  private constructor(simulator: SimulatorProcess, since: number) {
    this.#simulator = simulator;
    this.#since = since;
    this.#first = since + 1;
    this.#watching = this.#watch();
  }

  static async start(simulator: SimulatorProcess): Promise<Witness> {
    return new Witness(simulator, await simulator.lastSeq());
  }

  /** Resolves when all that were received have ended. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#watching;
    const began = Date.now();
    while (this.#open() > 0) {
      assert.ok(Date.now() - began < LAST_ONES_MS, `${this.#open()} requests never ended`);
      await this.#look();
    }
    const most = Math.max(0, ...this.#seen.keys());
    for (let seq = this.#first; seq <= most; seq++) assert.ok(this.#seen.has(seq), `request ${seq} was missed`);
  }

  /** In the order of their arrival. */
  of(model: string): readonly ReceivedRequest[] {
    return [...this.#seen.values()].filter((one) => one.model === model).sort((a, b) => a.startedAt - b.startedAt);
  }

  #open(): number {
    return [...this.#seen.values()].filter(({ endedAt }) => endedAt === undefined).length;
  }

  async #watch(): Promise<void> {
    while (!this.#stopping) {
      await this.#look();
      await delay(LOOK_MS);
    }
    await this.#look();
  }

  async #look(): Promise<void> {
    for (const one of await this.#simulator.requests({ since: this.#since })) this.#seen.set(one.seq, one);
    while (this.#seen.get(this.#since + 1)?.endedAt !== undefined) this.#since++;
  }
}

export interface Amount {
  readonly at: number;
  readonly amount: number;
}

/** How far all that was used by a moment lay above capacity + rate x time at most; below zero: it never did. */
export function overshoot(uses: readonly Amount[], capacity: number, perMs: number, since: number): number {
  let sum = 0;
  let worst = Number.NEGATIVE_INFINITY;
  for (const { at, amount } of uses) {
    sum += amount;
    worst = Math.max(worst, sum - capacity - (at - since) * perMs);
  }
  return worst;
}

/** The same from any moment on: what a bucket that nobody holds leases of would never let through. */
export function burst(uses: readonly Amount[], capacity: number, perMs: number): number {
  let level = 0;
  let last = 0;
  let worst = 0;
  for (const { at, amount } of uses) {
    level = Math.max(0, level - (at - last) * perMs) + amount;
    last = at;
    worst = Math.max(worst, level);
  }
  return worst - capacity;
}

/** The most that were open at one time, and for how much of the time from the first to the last `full` were. */
export function openAtOnce(requests: readonly ReceivedRequest[]): { most: number; average: number } {
  const changes = requests.flatMap(({ startedAt, endedAt }) => [
    { at: startedAt, by: 1 },
    { at: endedAt ?? Number.POSITIVE_INFINITY, by: -1 },
  ]);
  // What ended in the same millisecond made room.
  changes.sort((a, b) => a.at - b.at || a.by - b.by);
  let open = 0;
  let most = 0;
  let area = 0;
  let last = changes[0]?.at ?? 0;
  const first = last;
  for (const { at, by } of changes) {
    area += open * (at - last);
    last = at;
    open += by;
    most = Math.max(most, open);
  }
  return { most, average: area / Math.max(1, last - first) };
}
