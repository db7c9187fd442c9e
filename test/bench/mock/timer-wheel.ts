const SLOTS = 8192;

/** Timers of 1 ms resolution that catch up when late: thousands of paced streams cost one interval. */
export class TimerWheel {
  readonly #slots: (() => void)[][] = Array.from({ length: SLOTS }, () => []);
  readonly #start = performance.now();
  #tick = 0;

  constructor() {
    setInterval(() => this.#advance(), 1);
  }

  /** Calls `run` once after about `ms` milliseconds (at least one). */
  after(ms: number, run: () => void): void {
    if (ms >= SLOTS) {
      setTimeout(run, ms);
      return;
    }
    this.#slots[(this.#tick + Math.max(1, Math.trunc(ms))) % SLOTS]?.push(run);
  }

  #advance(): void {
    const now = Math.trunc(performance.now() - this.#start);
    while (this.#tick < now) {
      this.#tick++;
      const due = this.#slots[this.#tick % SLOTS];
      if (due === undefined || due.length === 0) continue;
      this.#slots[this.#tick % SLOTS] = [];
      for (const run of due) run();
    }
  }
}
