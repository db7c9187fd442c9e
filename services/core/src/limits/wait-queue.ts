import type { Admission, Refusal } from './contract.ts';
import { isRefusal } from './refusal.ts';

type Outcome = Admission | Refusal;

interface Waiter {
  readonly retry: () => Outcome | Promise<Outcome>;
  readonly resolve: (outcome: Outcome) => void;
  readonly giveUpAt: number;
}

const LEAST_PAUSE_MS = 5;
/** How often somebody who waits for a slot of another replica looks. */
const SLOT_LOOK_MS = 50;

/** Requests of one key that wait for their turn, first come first served: nobody behind the first is tried before it. */
export class WaitQueue {
  readonly #waiters: Waiter[] = [];
  #timer: NodeJS.Timeout | null = null;
  #busy = false;
  /** Something came free while the first one was being tried. */
  #woken = false;

  get length(): number {
    return this.#waiters.length;
  }

  /** Whether a request that was refused could be let in before `giveUpAt`. */
  isWorthIt(refused: Refusal, giveUpAt: number): boolean {
    return performance.now() + pauseAfter(refused) <= giveUpAt;
  }

  /** Resolves when it is let in, or with the last refusal when its time is over. `refused` is the one that it had already. */
  wait(retry: Waiter['retry'], giveUpAt: number, refused: Refusal | null): Promise<Outcome> {
    return new Promise((resolve) => {
      this.#waiters.push({ retry, resolve, giveUpAt });
      if (this.#waiters.length === 1) this.#arm(refused === null ? 0 : pauseAfter(refused));
    });
  }

  /** Something came free. */
  wake(): void {
    if (this.#waiters.length === 0) return;
    if (this.#busy) this.#woken = true;
    else this.#arm(0);
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
    this.#woken = false;
    const outcome = await first.retry();
    this.#busy = false;
    if (isRefusal(outcome) && this.isWorthIt(outcome, first.giveUpAt)) {
      this.#arm(this.#woken ? 0 : pauseAfter(outcome));
      return;
    }
    this.#waiters.shift();
    first.resolve(outcome);
    if (this.#waiters.length > 0) this.#arm(0);
  }
}

/** When to try again. Slots may come free before the second that clients are told to wait for them. */
function pauseAfter({ error, limit }: Refusal): number {
  if (limit.endsWith('concurrency')) return SLOT_LOOK_MS;
  return Math.max(LEAST_PAUSE_MS, error.retryAfterMs ?? Number.POSITIVE_INFINITY);
}
