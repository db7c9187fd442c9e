import type { Admission, Refusal } from './contract.ts';

interface Waiter {
  /** Another try; null: still nothing, ask again in `waitMs`. */
  readonly retry: () => Admission | Refusal | Promise<Admission | Refusal>;
  readonly resolve: (outcome: Admission | Refusal) => void;
  readonly giveUpAt: number;
}

const LEAST_PAUSE_MS = 5;

export const isRefusal = (outcome: Admission | Refusal): outcome is Refusal => 'error' in outcome;

/** Requests of one key that wait for their turn, first come first served: nobody behind the first is tried before it. */
export class WaitQueue {
  readonly #waiters: Waiter[] = [];
  #timer: NodeJS.Timeout | null = null;
  #busy = false;

  get length(): number {
    return this.#waiters.length;
  }

  wait(retry: Waiter['retry'], giveUpAt: number, firstTryInMs: number): Promise<Admission | Refusal> {
    return new Promise((resolve) => {
      this.#waiters.push({ retry, resolve, giveUpAt });
      if (this.#waiters.length === 1) this.#arm(firstTryInMs);
    });
  }

  /** Something came free. */
  wake(): void {
    if (this.#waiters.length > 0 && !this.#busy) this.#arm(0);
  }

  #arm(ms: number): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = null;
      void this.#tryFirst();
    }, ms);
  }

  async #tryFirst(): Promise<void> {
    const [first] = this.#waiters;
    if (!first || this.#busy) return;
    this.#busy = true;
    const outcome = await first.retry();
    this.#busy = false;
    const now = performance.now();
    const waitMs = isRefusal(outcome) ? (outcome.error.retryAfterMs ?? Number.POSITIVE_INFINITY) : 0;
    if (!isRefusal(outcome) || now + LEAST_PAUSE_MS > first.giveUpAt || now + waitMs > first.giveUpAt + SLACK_MS) {
      this.#waiters.shift();
      first.resolve(outcome);
      if (this.#waiters.length > 0) this.#arm(0);
      return;
    }
    this.#arm(Math.max(LEAST_PAUSE_MS, Math.min(waitMs, first.giveUpAt - now)));
  }
}

/** Slots may come free before the second that clients are told to wait for them. */
const SLACK_MS = 1_000;
