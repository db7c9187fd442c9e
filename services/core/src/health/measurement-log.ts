import { bucketOf, count, type Histogram } from './histogram.ts';

/** Measurements message, as its JSON in Redis. */
interface Increments {
  readonly successes: number;
  readonly failures: number;
  readonly ttft: Readonly<Record<string, number>>;
  readonly speed: Readonly<Record<string, number>>;
}

interface Pending {
  successes: number;
  failures: number;
  readonly ttft: Histogram;
  readonly speed: Histogram;
}

/** Beyond this many endpoints and models a second the rest goes unmeasured. */
const CAP = 5_000;

export const endpointField = (endpointKey: string): string => `e:${endpointKey}`;
export const modelField = (modelId: string): string => `m:${modelId}`;

/** What was measured since it was last taken; its size depends on the number of endpoints and models, not on the load. */
export class MeasurementLog {
  #pending = new Map<string, Pending>();

  attempt(endpointKey: string, wentWell: boolean | null, ttftMs: number | null, tokensPerSecond: number | null): void {
    if (wentWell === null) return;
    const pending = this.#of(endpointField(endpointKey));
    if (pending === null) return;
    if (wentWell) pending.successes++;
    else pending.failures++;
    if (ttftMs !== null && wentWell) count(pending.ttft, bucketOf(ttftMs));
    if (tokensPerSecond !== null && wentWell) count(pending.speed, bucketOf(tokensPerSecond));
  }

  request(modelId: string, ok: boolean): void {
    const pending = this.#of(modelField(modelId));
    if (pending === null) return;
    if (ok) pending.successes++;
    else pending.failures++;
  }

  /** Field -> what is to be added; null when there is nothing. */
  take(): Readonly<Record<string, Increments>> | null {
    if (this.#pending.size === 0) return null;
    const taken = this.#pending;
    this.#pending = new Map();
    const increments: Record<string, Increments> = {};
    for (const [field, { successes, failures, ttft, speed }] of taken) {
      increments[field] = { successes, failures, ttft: Object.fromEntries(ttft), speed: Object.fromEntries(speed) };
    }
    return increments;
  }

  #of(field: string): Pending | null {
    let pending = this.#pending.get(field);
    if (pending === undefined) {
      if (this.#pending.size >= CAP) return null;
      pending = { successes: 0, failures: 0, ttft: new Map(), speed: new Map() };
      this.#pending.set(field, pending);
    }
    return pending;
  }
}
