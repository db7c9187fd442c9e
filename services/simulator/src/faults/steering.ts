import { createHash } from 'node:crypto';
import type { Directives } from './directives.ts';
import { mergeDirectives, splitModel, splitText } from './directives.ts';
import { type FaultRules, matches } from './rules.ts';

/** What a request names as model and says in its messages, found by its dialect. */
export interface Steered {
  readonly model: string;
  readonly texts: readonly string[];
  /** How many texts and token lists are to be embedded, where that is what is asked for. */
  readonly items?: number;
}

export interface Steering {
  /** The model without directives. */
  readonly model: string;
  readonly directives: Directives;
}

/** Bounds the memory of `times=N`: the oldest counters are forgotten. */
const maxCounters = 10_000;

/** Finds the directives of a request. Message text wins over the model name, control rules win over both. */
export class Steerer {
  readonly #rules: FaultRules;
  readonly #uses = new Map<string, number>();

  constructor(rules: FaultRules) {
    this.#rules = rules;
  }

  /** Throws a `DirectiveError` when a directive is unknown or has a bad value. */
  steer(path: string, request: Steered): Steering {
    const { base, directives } = splitModel(request.model);
    const sources = [directives];
    for (const text of request.texts) sources.push(...splitText(text).blocks);
    const wanted = sources.filter((source) => matches(source.for, base) && this.#stillApplies(source, request));
    return { model: base, directives: mergeDirectives(...wanted, this.#rules.take({ model: base, path })) };
  }

  /** `times=N`: only the first N requests with this model, these texts and these directives. */
  #stillApplies(source: Directives, request: Steered): boolean {
    if (source.times === undefined) return true;
    const hash = createHash('sha256').update(JSON.stringify([request.model, request.texts, source]));
    const key = hash.digest('base64');
    const used = this.#uses.get(key) ?? 0;
    if (used >= source.times) return false;
    this.#uses.set(key, used + 1);
    if (this.#uses.size > maxCounters) {
      const [oldest] = this.#uses.keys();
      if (oldest !== undefined) this.#uses.delete(oldest);
    }
    return true;
  }
}
