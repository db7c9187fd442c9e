import type { DrainPolicy } from '../catalog/index.ts';
import type { Usage } from '../chat/index.ts';
import type { ChatAnswer } from '../dialects/index.ts';
import { TokenCounter } from '../tokens/index.ts';
import type { Attempt } from './attempt.ts';
import { Drain } from './drain.ts';
import { estimateUsage } from './estimate.ts';
import { targetOf } from './preparation.ts';

export interface FoundUsage {
  /** Null: the provider refused the request after all, and has nothing to bill. */
  readonly usage: Usage | null;
  readonly source: 'drained' | 'estimated';
}

/**
 * Finds out what attempts used that did not end by saying so. One for all requests of a process: it holds the tokenizer,
 * counts the drains, and knows what is still being found out when the process wants to end.
 */
export class LateUsage {
  readonly #counter: TokenCounter;
  readonly #drains = new Set<Drain>();
  #open = 0;
  #idle: (() => void) | null = null;

  constructor(counter = new TokenCounter()) {
    this.#counter = counter;
  }

  /** Requests whose account is still being drawn up. */
  get open(): number {
    return this.#open;
  }

  /** Of an attempt that is over; `answer` is the one it gave, if it did not stream. */
  async estimate(attempt: Attempt, answer: ChatAnswer | null = null): Promise<FoundUsage> {
    return { usage: await estimateUsage(attempt, this.#counter, answer), source: 'estimated' };
  }

  /** Of an attempt under way that nobody waits for any more: it is listened to where that tells more, else ended. */
  leave(attempt: Attempt, policy: DrainPolicy): Promise<FoundUsage> {
    const hasRoom = this.#drains.size < policy.maxConcurrent && !attempt.isOver;
    if (hasRoom && isWorthDraining(attempt, policy)) return this.#drain(attempt, policy);
    attempt.abort();
    return this.estimate(attempt);
  }

  async #drain(attempt: Attempt, { maxMs }: DrainPolicy): Promise<FoundUsage> {
    const usage = await new Promise<Usage | null>((resolve) => {
      const drain = new Drain(attempt, maxMs, (told) => {
        this.#drains.delete(drain);
        resolve(told);
      });
      this.#drains.add(drain);
    });
    if (usage !== null) return { usage, source: 'drained' };
    return attempt.isAccepted ? this.estimate(attempt) : { usage: null, source: 'drained' };
  }

  /** Counts what a request has to wait for before it can be settled. */
  async track(settling: Promise<void>): Promise<void> {
    this.#open++;
    try {
      await settling;
    } finally {
      this.#open--;
      if (this.#open === 0) this.#idle?.();
    }
  }

  /** Waits for all that is open; drains that are not done within `graceMs` are cut short, and estimated. Then the tokenizer ends. */
  async finish(graceMs: number): Promise<void> {
    if (this.#open > 0) {
      const cut = setTimeout(() => this.#cut(), graceMs);
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
      clearTimeout(cut);
    }
    await this.#counter.close();
  }

  #cut(): void {
    for (const drain of this.#drains) drain.stop();
  }
}

/** An answer without a price costs nothing more when it is broken off, and somebody's own machine something when it is not. */
function isWorthDraining({ dialect, planned, output }: Attempt, { when, maxMs }: DrainPolicy): boolean {
  if (when === 'never' || maxMs <= 0) return false;
  if (when === 'always') return true;
  if (planned.endpoint.pricing === null) return false;
  return output === null || dialect.billsAfterAbort?.(targetOf(planned)) === true;
}
