/** Half of what was known counts after this. */
const HALF_LIFE_MS = 2_000;
const WEIGHT = Math.LN2 / HALF_LIFE_MS;

/** How much is taken per millisecond, decayed. */
export class Pace {
  #perMs = 0;
  #at = 0;

  add(amount: number, now: number): void {
    this.#decay(now);
    this.#perMs += amount * WEIGHT;
  }

  per(ms: number, now: number): number {
    this.#decay(now);
    return this.#perMs * ms;
  }

  #decay(now: number): void {
    const passed = now - this.#at;
    // Costs a power only where it changes anything.
    if (passed < 1) return;
    this.#perMs = this.#perMs < 1e-12 ? 0 : this.#perMs * 0.5 ** (passed / HALF_LIFE_MS);
    this.#at = now;
  }
}
