import type { BreakerEvent } from './breaker.ts';
import type { KeyedEvent } from './outcome-events.ts';

/** Writes them, in order; called once at a time. Does not throw. */
export type WriteEvents = (events: readonly KeyedEvent[]) => Promise<void>;

/** What came in one moment is written together. */
const GATHER_MS = 2;
/** Urgent events wait so long at most, and cost at most so few commands a second. */
const GAP_MS = 50;
/** More than this is only kept back while Redis does not answer; then it is about to be declared away. */
const CAP = 4_000;

/**
 * Events on their way to Redis. What may open or close a breaker goes at once, the rest with it or when `flush` is
 * called; equal events in a row are counted. The order of one key's events is kept.
 */
export class EventQueue {
  readonly #write: WriteEvents;
  #pending: KeyedEvent[] = [];
  /** Where the last event of a key stands. */
  readonly #last = new Map<string, number>();
  #timer: NodeJS.Timeout | null = null;
  #writing: Promise<void> | null = null;
  #urgent = false;
  #writtenAt = Number.NEGATIVE_INFINITY;

  constructor(write: WriteEvents) {
    this.#write = write;
  }

  push(keyed: KeyedEvent, urgent: boolean): void {
    this.#add(keyed);
    if (!urgent) return;
    this.#urgent = true;
    this.#schedule();
  }

  /** Resolves when all that is pending has been written. */
  async flush(): Promise<void> {
    while (this.#writing !== null) await this.#writing;
    if (this.#pending.length > 0) await this.#writeAll();
  }

  /** Takes what is pending away. */
  drain(): readonly KeyedEvent[] {
    const events = this.#pending;
    this.#pending = [];
    this.#last.clear();
    this.#urgent = false;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    return events;
  }

  #add(keyed: KeyedEvent): void {
    const at = this.#last.get(keyed.key);
    const before = at === undefined ? undefined : this.#pending[at];
    const merged = before === undefined ? null : merge(before.event, keyed.event);
    if (at !== undefined && merged !== null) this.#pending[at] = { key: keyed.key, event: merged };
    else if (this.#pending.length < CAP) {
      this.#last.set(keyed.key, this.#pending.length);
      this.#pending.push(keyed);
    }
  }

  #schedule(): void {
    if (this.#timer !== null || this.#writing !== null) return;
    const wait = Math.max(GATHER_MS, this.#writtenAt + GAP_MS - performance.now());
    this.#timer = setTimeout(() => void this.#writeAll(), wait);
  }

  #writeAll(): Promise<void> {
    const events = this.drain();
    this.#writtenAt = performance.now();
    this.#writing = this.#write(events).finally(() => {
      this.#writing = null;
      if (this.#urgent) this.#schedule();
    });
    return this.#writing;
  }
}

/** Both as one; null when they differ in more than how often. */
function merge(a: BreakerEvent, b: BreakerEvent): BreakerEvent | null {
  if (a.kind === 'success' && b.kind === 'success' && a.epoch === b.epoch) return { ...a, count: a.count + b.count };
  if (a.kind !== 'failure' || b.kind !== 'failure') return null;
  if (a.epoch !== b.epoch || a.permit !== b.permit || a.permit !== 0) return null;
  return { ...a, count: a.count + b.count, retryAfterMs: Math.max(a.retryAfterMs, b.retryAfterMs) };
}
