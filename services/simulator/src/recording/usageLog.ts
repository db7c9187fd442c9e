import type { RecordedRequest } from './journal.ts';

/** What an answer costs once it is begun, in tokens. */
export interface Bill {
  /** With what was read from and written to a cache. */
  readonly prompt: number;
  /** Of `prompt`: read from a cache. */
  readonly cached: number;
  /** All of the answer: what is shown, and hidden reasoning. */
  readonly completion: number;
  /** Of `completion`: what is sent token by token. */
  readonly shown: number;
  /** The provider goes on, and bills, when the client hangs up (Google, AWS). */
  readonly toTheEnd: boolean;
}

/** What embeddings cost: their input. */
export function billOfInput(tokens: number): Bill {
  return { prompt: tokens, cached: 0, completion: 0, shown: 0, toTheEnd: false };
}

export interface BilledTokens {
  readonly prompt: number;
  readonly cached: number;
  readonly completion: number;
  /** Prompt and completion. */
  readonly total: number;
}

/** What one request was billed. */
export interface BilledRequest extends BilledTokens {
  readonly seq: number;
  readonly model: string;
  readonly path: string;
  readonly stream: boolean;
  readonly outcome: RecordedRequest['outcome'];
}

export interface UsageSum extends BilledTokens {
  readonly requests: number;
}

export interface UsageReport {
  readonly totals: UsageSum;
  readonly byModel: Readonly<Record<string, UsageSum>>;
  readonly byPath: Readonly<Record<string, UsageSum>>;
  readonly byOutcome: Readonly<Record<string, UsageSum>>;
  /** The latest ones, oldest first; the sums are of all. */
  readonly requests: readonly BilledRequest[];
}

/**
 * What the simulator would put on its invoice. A request that is refused, or never answered, costs nothing. A whole answer is
 * billed in full from when it is begun, whoever still waits for it. A stream is billed in full when it was sent to its end;
 * broken off by a fault or by its client, it is billed for its prompt, what was sent, and the hidden reasoning before that.
 */
export class UsageLog {
  readonly #limit: number;
  #requests: BilledRequest[] = [];
  readonly #sums = { totals: new Sums(), model: new Sums(), path: new Sums(), outcome: new Sums() };

  /** `limit`: so many requests are kept one by one. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** `played`: a stream was sent to its end. */
  add(record: RecordedRequest, bill: Bill, played: boolean): void {
    const completion = completionOf(record, bill, played);
    const { seq, model, path, stream, outcome } = record;
    const { prompt, cached } = bill;
    const billed = { seq, model, path, stream, outcome, prompt, cached, completion, total: prompt + completion };
    this.#requests.push(billed);
    if (this.#requests.length > this.#limit * 1.25) this.#requests = this.#requests.slice(-this.#limit);
    this.#sums.totals.add('', billed);
    this.#sums.model.add(model, billed);
    this.#sums.path.add(path, billed);
    this.#sums.outcome.add(outcome, billed);
  }

  report(): UsageReport {
    const { totals, model, path, outcome } = this.#sums;
    return {
      totals: totals.all()[''] ?? { requests: 0, prompt: 0, cached: 0, completion: 0, total: 0 },
      byModel: model.all(),
      byPath: path.all(),
      byOutcome: outcome.all(),
      requests: this.#requests.slice(-this.#limit),
    };
  }

  clear(): void {
    this.#requests = [];
    for (const sums of Object.values(this.#sums)) sums.clear();
  }
}

function completionOf({ stream, outcome, tokensSent }: RecordedRequest, bill: Bill, played: boolean): number {
  if (!stream || played || (bill.toTheEnd && outcome === 'aborted')) return bill.completion;
  return tokensSent === 0 ? 0 : Math.min(bill.completion, bill.completion - bill.shown + tokensSent);
}

class Sums {
  readonly #sums = new Map<string, UsageSum>();

  add(key: string, { prompt, cached, completion, total }: BilledTokens): void {
    const sum = this.#sums.get(key);
    this.#sums.set(key, {
      requests: (sum?.requests ?? 0) + 1,
      prompt: (sum?.prompt ?? 0) + prompt,
      cached: (sum?.cached ?? 0) + cached,
      completion: (sum?.completion ?? 0) + completion,
      total: (sum?.total ?? 0) + total,
    });
  }

  all(): Record<string, UsageSum> {
    return Object.fromEntries(this.#sums);
  }

  clear(): void {
    this.#sums.clear();
  }
}
