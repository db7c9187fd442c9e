import type { ApiKey } from '@headgate/proto/api_key';
import { type BudgetPolicy, type Limits, toBudget, toLimits } from '../catalog/index.ts';

export interface PrincipalFacts {
  readonly id: string;
  readonly name: string;
  readonly group: string;
  readonly limits: Limits;
  readonly budget: BudgetPolicy | null;
  readonly queue: QueuePolicy | null;
  /** Lists of patterns, such as `anthropic/*`; a model must match each of the lists that are not empty. */
  readonly models: readonly (readonly string[])[];
}

/** A short wait in place of an instant 429. */
export interface QueuePolicy {
  readonly maxWaitMs: number;
  readonly maxWaiting: number;
}

/** Beginning of the ids of those whom a token names. */
export const OIDC_ID = 'oidc:';

/** Who is asking. Immutable. */
export class Principal {
  readonly id: string;
  readonly name: string;
  /** Empty when it belongs to none. */
  readonly group: string;
  readonly limits: Limits;
  readonly budget: BudgetPolicy | null;
  readonly queue: QueuePolicy | null;
  /** What it was made from; plain data. */
  readonly facts: PrincipalFacts;
  readonly #models: readonly RegExp[];

  constructor(facts: PrincipalFacts) {
    this.facts = facts;
    this.id = facts.id;
    this.name = facts.name;
    this.group = facts.group;
    this.limits = facts.limits;
    this.budget = facts.budget;
    this.queue = facts.queue;
    this.#models = facts.models.filter((patterns) => patterns.length > 0).map(modelPattern);
  }

  /** Named by a token, not by a key. */
  get isOfToken(): boolean {
    return this.id.startsWith(OIDC_ID);
  }

  /** Whether this caller may use a model, by public id. */
  allows(modelId: string): boolean {
    return this.#models.every((pattern) => pattern.test(modelId));
  }
}

export function keyPrincipal(key: ApiKey): Principal {
  return new Principal({
    id: key.id,
    name: key.name,
    group: key.group,
    limits: toLimits(key.limits),
    budget: toBudget(key.budget),
    queue: key.queue === undefined ? null : { maxWaitMs: key.queue.maxWaitMs, maxWaiting: key.queue.maxWaiting },
    models: [key.models],
  });
}

/** One expression for all patterns; `*` stands for any run of characters, also across `/`. */
function modelPattern(patterns: readonly string[]): RegExp {
  const alternatives = patterns.map((pattern) => pattern.split('*').map(escapeRegExp).join('.*'));
  return new RegExp(`^(?:${alternatives.join('|')})$`, 's');
}

function escapeRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}
