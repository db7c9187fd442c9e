import { type Clocks, type Due, dueAt } from './clocks.ts';

/** Node's timers fire at once beyond this. */
const LONGEST_WAIT_MS = 2 ** 31 - 1;
/**
 * Node keeps a list for each length of time that somebody waits, and makes and drops it with its first and last timer. Long
 * waits are cut to whole steps, so that requests share lists; what remains is waited for when the step is over.
 */
const STEP_MS = 1_000;

/** One timer a request, set for the nearest limit. Limits move while it runs: they are looked at anew when it fires. */
export class LimitTimer {
  readonly #clocks: () => Clocks;
  readonly #onDue: (due: Due) => void;
  #timer: NodeJS.Timeout | null = null;

  constructor(clocks: () => Clocks, onDue: (due: Due) => void) {
    this.#clocks = clocks;
    this.#onDue = onDue;
  }

  /** To be called when a limit may have come nearer, and after each `onDue` that does not end the request. */
  arm(): void {
    this.stop();
    const wait = Math.ceil(dueAt(this.#clocks()).at - performance.now());
    const step = wait < 2 * STEP_MS ? Math.max(1, wait) : wait - (wait % STEP_MS);
    this.#timer = setTimeout(this.#fire, Math.min(step, LONGEST_WAIT_MS));
  }

  stop(): void {
    if (this.#timer) clearTimeout(this.#timer);
  }

  readonly #fire = (): void => {
    const due = dueAt(this.#clocks());
    if (due.at > performance.now()) this.arm();
    else this.#onDue(due);
  };
}
