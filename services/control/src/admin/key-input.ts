import { type Budget, BudgetMode, BudgetWindow, type KeyLimits, type Queue } from '@headgate/proto/api_key';
import type { Problems } from './problems.ts';

/** What may be said of a key; the bounds are those of headgate.yaml. */

const LONGEST_NAME = 100;
const LONGEST_PATTERN = 200;
const MOST_PATTERNS = 500;
const HIGHEST_LIMIT = 1_000_000_000_000n;
const LONGEST_WAIT_MS = 24 * 3_600_000;
const MOST_WAITING = 10_000;
/** 31 December 9999: what is later is a mistake of units. */
const LATEST_MS = 253_402_300_799_999n;

const NAME = /^[^\p{Cc}\p{Zl}\p{Zp}]+$/u;
const PATTERN = /^[A-Za-z0-9._:@/*-]+$/;
const USD = /^\d{1,9}(\.\d{1,12})?$/;

export function checkName(name: string, problems: Problems): void {
  checkLabel('name', name, problems);
}

/** Empty: none. */
export function checkGroup(group: string, problems: Problems): void {
  if (group !== '') checkLabel('group', group, problems);
}

function checkLabel(field: string, text: string, problems: Problems): void {
  const expected = `1 to ${LONGEST_NAME} printable characters, not a space first or last`;
  const length = [...text].length;
  if (length === 0) problems.add(field, 'nothing', expected);
  else if (length > LONGEST_NAME) problems.add(field, `${length} characters`, expected);
  else if (!NAME.test(text)) problems.add(field, 'a control character', expected);
  else if (text.trim() !== text) problems.add(field, 'a space at an end', expected);
}

/** Empty: every model. */
export function checkModels(patterns: readonly string[], problems: Problems): void {
  if (patterns.length > MOST_PATTERNS) {
    problems.add('models', `${patterns.length} patterns`, `at most ${MOST_PATTERNS}`);
    return;
  }
  const bad = patterns.findIndex((pattern) => pattern.length > LONGEST_PATTERN || !PATTERN.test(pattern));
  if (bad < 0) return;
  problems.add(`models[${bad}]`, 'something else', 'a model id or a pattern such as "anthropic/*"');
}

/** 0: never. */
export function checkExpiry(expiresAtMs: bigint, nowMs: number, problems: Problems): void {
  if (expiresAtMs === 0n) return;
  const expected = 'milliseconds since the epoch of a time to come, or 0 for never';
  if (expiresAtMs <= BigInt(nowMs)) problems.add('expiresAtMs', 'a time that has passed', expected);
  else if (expiresAtMs > LATEST_MS) problems.add('expiresAtMs', 'a time after the year 9999', expected);
}

export function checkLimits(limits: KeyLimits | undefined, problems: Problems): void {
  if (limits === undefined) return;
  const { requestsPerMinute, tokensPerMinute, requestsPerDay, tokensPerDay, concurrency } = limits;
  const all = { requestsPerMinute, tokensPerMinute, requestsPerDay, tokensPerDay, concurrency };
  for (const [field, value] of Object.entries(all)) {
    if (value > HIGHEST_LIMIT) problems.add(`limits.${field}`, `${value}`, `at most ${HIGHEST_LIMIT}, or 0 for none`);
  }
}

export function checkBudget(budget: Budget | undefined, problems: Problems): void {
  if (budget === undefined) return;
  if (!USD.test(budget.usd) || /^[0.]+$/.test(budget.usd)) {
    const found = budget.usd === '' ? 'nothing' : 'something else';
    problems.add('budget.usd', found, 'a decimal string of US dollars above zero, such as "100" or "99.50"');
  }
  if (BudgetWindow[budget.window] === undefined) {
    problems.add('budget.window', `${budget.window}`, 'BUDGET_WINDOW_DAY, _WEEK, _MONTH or _TOTAL');
  }
  if (BudgetMode[budget.mode] === undefined) {
    problems.add('budget.mode', `${budget.mode}`, 'BUDGET_MODE_HARD, _SOFT or _SHADOW');
  }
}

export function checkQueue(queue: Queue | undefined, problems: Problems): void {
  if (queue === undefined) return;
  const { maxWaitMs, maxWaiting } = queue;
  if (maxWaitMs > LONGEST_WAIT_MS) {
    problems.add('queue.maxWaitMs', `${maxWaitMs}`, `at most ${LONGEST_WAIT_MS} milliseconds`);
  }
  if (maxWaiting > MOST_WAITING) problems.add('queue.maxWaiting', `${maxWaiting}`, `at most ${MOST_WAITING}`);
}

/** The budget with what is meant where nothing was said. */
export function completeBudget(budget: Budget): Budget {
  return {
    ...budget,
    window: budget.window === BudgetWindow.UNSPECIFIED ? BudgetWindow.MONTH : budget.window,
    mode: budget.mode === BudgetMode.UNSPECIFIED ? BudgetMode.HARD : budget.mode,
  };
}

/** The queue with what is meant where nothing was said. */
export function completeQueue(queue: Queue): Queue {
  return { ...queue, maxWaitMs: queue.maxWaitMs || 2_000, maxWaiting: queue.maxWaiting || 100 };
}
