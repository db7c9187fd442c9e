import type { ApiKey } from '@headgate/proto/api_key';
import { type BudgetPolicy, type Limits, toBudget, toLimits } from '../catalog/index.ts';

/** Who is asking. Immutable. */
export class Principal {
  readonly id: string;
  readonly name: string;
  /** Empty when it belongs to none. */
  readonly group: string;
  readonly limits: Limits;
  readonly budget: BudgetPolicy | null;
  /** A short wait in place of an instant 429; null: none. */
  readonly queue: { readonly maxWaitMs: number; readonly maxWaiting: number } | null;
  readonly #models: RegExp | null;

  constructor(key: ApiKey) {
    this.id = key.id;
    this.name = key.name;
    this.group = key.group;
    this.limits = toLimits(key.limits);
    this.budget = toBudget(key.budget);
    this.queue = key.queue === undefined ? null : { maxWaitMs: key.queue.maxWaitMs, maxWaiting: key.queue.maxWaiting };
    this.#models = key.models.length === 0 ? null : modelPattern(key.models);
  }

  /** Whether this key may use a model, by public id. */
  allows(modelId: string): boolean {
    return this.#models === null || this.#models.test(modelId);
  }
}

/** One expression for all patterns; `*` stands for any run of characters, also across `/`. */
function modelPattern(patterns: readonly string[]): RegExp {
  const alternatives = patterns.map((pattern) => pattern.split('*').map(escapeRegExp).join('.*'));
  return new RegExp(`^(?:${alternatives.join('|')})$`, 's');
}

function escapeRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}
