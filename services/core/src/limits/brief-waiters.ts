import type { SubjectState } from './subject-state.ts';

/**
 * Requests that wait a moment for a slot, or for what others do not need after all; whoever waits longest is told first that
 * something came free in this process.
 */
export class BriefWaiters {
  readonly #waiting = new Map<SubjectState, Set<() => void>>();

  get isEmpty(): boolean {
    return this.#waiting.size === 0;
  }

  /** Resolves when something came free here, or after so many milliseconds. */
  wait(state: SubjectState, ms: number): Promise<void> {
    return new Promise((resolve) => {
      const line = this.#waiting.get(state) ?? new Set();
      this.#waiting.set(state, line);
      const done = (): void => {
        clearTimeout(timer);
        line.delete(done);
        if (line.size === 0 && this.#waiting.get(state) === line) this.#waiting.delete(state);
        resolve();
      };
      const timer = setTimeout(done, ms);
      line.add(done);
    });
  }

  wake(state: SubjectState): void {
    const [first] = this.#waiting.get(state) ?? [];
    first?.();
  }
}
