import type { Usage } from '../chat/index.ts';
import type { ChatAnswer } from '../dialects/index.ts';
import type { Attempt, AttemptOwner } from './attempt.ts';
import type { FrameBuffer } from './frame-buffer.ts';

/** No answer that is worth waiting for is larger. */
const MOST_BYTES = 64 * 1024 * 1024;

/** Listens to an attempt in place of a client that has left, until the provider says what it used, or for as long as allowed. */
export class Drain implements AttemptOwner {
  readonly #attempt: Attempt;
  readonly #done: (usage: Usage | null) => void;
  readonly #timer: NodeJS.Timeout;
  #bytes = 0;
  #over = false;

  /** `done` is called once; with null when the provider did not say. */
  constructor(attempt: Attempt, maxMs: number, done: (usage: Usage | null) => void) {
    this.#attempt = attempt;
    this.#done = done;
    this.#timer = setTimeout(() => this.stop(), maxMs);
    attempt.handOver(this);
    attempt.resume();
  }

  /** Ends it at once. */
  stop(): void {
    this.#attempt.abort();
    this.#end(null);
  }

  frames(_attempt: Attempt, frames: FrameBuffer): void {
    this.#bytes += frames.length;
    if (this.#bytes > MOST_BYTES) this.stop();
  }

  succeeded({ output }: Attempt): void {
    this.#end(output?.decoder.progress.usage ?? null);
  }

  answered(_attempt: Attempt, { usage }: ChatAnswer): void {
    this.#end(usage);
  }

  failed(): void {
    this.#end(null);
  }

  #end(usage: Usage | null): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#timer);
    this.#done(usage);
  }
}
