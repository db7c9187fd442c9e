import { create } from '@bufbuild/protobuf';
import {
  type Budget,
  BudgetMode,
  BudgetSchema,
  BudgetWindow,
  type KeyLimits,
  KeyLimitsSchema,
} from '@headgate/proto/api_key';
import type { ConfigKey } from '../config/index.ts';
import type { BudgetPolicy, Limits } from './limit-policy.ts';

/** Limits and budgets as they stand in headgate.yaml, as messages, and as the data plane uses them. */

type ConfigLimits = NonNullable<ConfigKey['limits']>;
type ConfigBudget = NonNullable<ConfigKey['budget']>;

const WINDOWS = {
  day: BudgetWindow.DAY,
  week: BudgetWindow.WEEK,
  month: BudgetWindow.MONTH,
  total: BudgetWindow.TOTAL,
} as const;

const MODES = { hard: BudgetMode.HARD, soft: BudgetMode.SOFT, shadow: BudgetMode.SHADOW } as const;

export function limitsMessage(limits: ConfigLimits): KeyLimits {
  return create(KeyLimitsSchema, {
    requestsPerMinute: BigInt(limits.requestsPerMinute ?? 0),
    tokensPerMinute: BigInt(limits.tokensPerMinute ?? 0),
    requestsPerDay: BigInt(limits.requestsPerDay ?? 0),
    tokensPerDay: BigInt(limits.tokensPerDay ?? 0),
    concurrency: BigInt(limits.concurrency ?? 0),
  });
}

export function budgetMessage({ usd, window, mode }: ConfigBudget): Budget {
  return create(BudgetSchema, { usd: String(usd), window: WINDOWS[window], mode: MODES[mode] });
}

export function toLimits(limits: KeyLimits | undefined): Limits {
  return {
    requestsPerMinute: limit(limits?.requestsPerMinute),
    tokensPerMinute: limit(limits?.tokensPerMinute),
    requestsPerDay: limit(limits?.requestsPerDay),
    tokensPerDay: limit(limits?.tokensPerDay),
    concurrency: limit(limits?.concurrency),
  };
}

const limit = (value: bigint | undefined): number | null =>
  value === undefined || value === 0n ? null : Number(value);

const WINDOW_NAMES = {
  [BudgetWindow.UNSPECIFIED]: 'month',
  [BudgetWindow.DAY]: 'day',
  [BudgetWindow.WEEK]: 'week',
  [BudgetWindow.MONTH]: 'month',
  [BudgetWindow.TOTAL]: 'total',
} as const;

const MODE_NAMES = {
  [BudgetMode.UNSPECIFIED]: 'hard',
  [BudgetMode.HARD]: 'hard',
  [BudgetMode.SOFT]: 'soft',
  [BudgetMode.SHADOW]: 'shadow',
} as const;

export function toBudget(budget: Budget | undefined): BudgetPolicy | null {
  if (budget === undefined || budget.usd === '') return null;
  return {
    usd: budget.usd,
    window: WINDOW_NAMES[budget.window] ?? 'month',
    mode: MODE_NAMES[budget.mode] ?? 'hard',
  };
}
