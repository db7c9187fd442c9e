interface Waiting {
  readonly weight: number;
  readonly enter: () => void;
}

/** Lets work in as long as all of it together weighs no more than `capacity`, in the order in which it came. */
export class WeightedSlots {
  readonly #capacity: number;
  readonly #line: Waiting[] = [];
  #inside = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Resolves with what gives the place back, once. What is too heavy for any company has all to itself. Rejects when `signal` ends it. */
  async take(weight: number, signal: AbortSignal): Promise<() => void> {
    const own = Math.min(weight, this.#capacity);
    if (this.#line.length > 0 || this.#inside + own > this.#capacity) await this.#wait(own, signal);
    else this.#inside += own;
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.#leave(own);
    };
  }

  #wait(weight: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const gone = (): void => {
        this.#line.splice(this.#line.indexOf(one), 1);
        // Whoever stood behind may be light enough.
        this.#admit();
        reject(signal.reason);
      };
      const one: Waiting = {
        weight,
        enter: () => {
          signal.removeEventListener('abort', gone);
          resolve();
        },
      };
      if (signal.aborted) {
        reject(signal.reason);
        return;
      }
      signal.addEventListener('abort', gone, { once: true });
      this.#line.push(one);
    });
  }

  #leave(weight: number): void {
    this.#inside -= weight;
    this.#admit();
  }

  #admit(): void {
    for (let next = this.#line[0]; next && this.#inside + next.weight <= this.#capacity; next = this.#line[0]) {
      this.#line.shift();
      this.#inside += next.weight;
      next.enter();
    }
  }
}
