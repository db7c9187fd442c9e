import { type ApiKey, BudgetMode, BudgetWindow } from '@headgate/proto/api_key';

/** Null: no limit of that kind. */
export interface PrincipalLimits {
  readonly requestsPerMinute: number | null;
  readonly tokensPerMinute: number | null;
  readonly requestsPerDay: number | null;
  readonly tokensPerDay: number | null;
  readonly concurrency: number | null;
}

export interface PrincipalBudget {
  /** Decimal string, US dollars. */
  readonly usd: string;
  readonly window: 'day' | 'week' | 'month' | 'total';
  readonly mode: 'hard' | 'soft' | 'shadow';
}

/** Who is asking. Immutable. */
export class Principal {
  readonly id: string;
  readonly name: string;
  /** Empty when it belongs to none. */
  readonly group: string;
  readonly limits: PrincipalLimits;
  readonly budget: PrincipalBudget | null;
  readonly #models: RegExp | null;

  constructor(key: ApiKey) {
    this.id = key.id;
    this.name = key.name;
    this.group = key.group;
    this.limits = {
      requestsPerMinute: limit(key.limits?.requestsPerMinute),
      tokensPerMinute: limit(key.limits?.tokensPerMinute),
      requestsPerDay: limit(key.limits?.requestsPerDay),
      tokensPerDay: limit(key.limits?.tokensPerDay),
      concurrency: limit(key.limits?.concurrency),
    };
    this.budget = budgetOf(key);
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

function limit(value: bigint | undefined): number | null {
  return value === undefined || value === 0n ? null : Number(value);
}

const WINDOWS = {
  [BudgetWindow.UNSPECIFIED]: 'month',
  [BudgetWindow.DAY]: 'day',
  [BudgetWindow.WEEK]: 'week',
  [BudgetWindow.MONTH]: 'month',
  [BudgetWindow.TOTAL]: 'total',
} as const;

const MODES = {
  [BudgetMode.UNSPECIFIED]: 'hard',
  [BudgetMode.HARD]: 'hard',
  [BudgetMode.SOFT]: 'soft',
  [BudgetMode.SHADOW]: 'shadow',
} as const;

function budgetOf({ budget }: ApiKey): PrincipalBudget | null {
  if (budget === undefined || budget.usd === '') return null;
  return { usd: budget.usd, window: WINDOWS[budget.window] ?? 'month', mode: MODES[budget.mode] ?? 'hard' };
}
