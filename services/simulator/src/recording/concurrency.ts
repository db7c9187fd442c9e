/** How many requests of one model are open, and the most that ever were since the peaks were forgotten. */
export interface OpenRequests {
  open: number;
  peak: number;
}

/** Counts the requests that are answered at the same time, model by model: what a provider's concurrency limit sees. */
export class Concurrency {
  readonly #models = new Map<string, OpenRequests>();

  /** Returns how many are open with this one. */
  enter(model: string): number {
    const { open: others = 0, peak = 0 } = this.#models.get(model) ?? {};
    const open = others + 1;
    this.#models.set(model, { open, peak: Math.max(peak, open) });
    return open;
  }

  leave(model: string): void {
    const counts = this.#models.get(model);
    if (counts !== undefined) counts.open--;
  }

  /** What is open now is the new peak. */
  forgetPeaks(): void {
    for (const [model, counts] of this.#models) {
      if (counts.open === 0) this.#models.delete(model);
      else counts.peak = counts.open;
    }
  }

  report(): Record<string, OpenRequests> {
    return Object.fromEntries([...this.#models].map(([model, counts]) => [model, { ...counts }]));
  }
}
