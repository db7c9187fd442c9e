import type { KeyView } from '@headgate/proto/admin';
import { ApiKeyOrigin, type Budget, type KeyLimits, type Queue } from '@headgate/proto/api_key';
import { type Column, fields } from './table.ts';
import { modeName, windowName } from './values.ts';

/** Keys as people read them. `nowMs` is since the epoch. */

export function keyColumns(nowMs: number): readonly Column<KeyView>[] {
  return [
    { title: 'ID', of: ({ id }) => id },
    { title: 'NAME', of: ({ name }) => name },
    { title: 'GROUP', of: ({ group }) => group || '-' },
    { title: 'KEY', of: hint },
    { title: 'STATE', of: (key) => state(key, nowMs) },
    { title: 'MODELS', of: ({ models }) => modelsText(models) },
    { title: 'LIMITS', of: ({ limits }) => limitsText(limits) },
    { title: 'BUDGET', of: ({ budget }) => budgetText(budget) },
  ];
}

export function keyDetails(key: KeyView, nowMs: number): string {
  return fields([
    ['id', key.id],
    ['name', key.name],
    ['group', key.group || '-'],
    ['key', hint(key)],
    ['state', state(key, nowMs)],
    ['from', key.origin === ApiKeyOrigin.CONFIG ? 'headgate.yaml or HEADGATE_API_KEY' : 'the admin API'],
    ['models', modelsText(key.models)],
    ['limits', limitsText(key.limits)],
    ['budget', budgetText(key.budget)],
    ['queue', queueText(key.queue)],
    ['created', timeText(key.createdAtMs) || '-'],
    ['expires', timeText(key.expiresAtMs) || 'never'],
    ['old key until', timeText(key.previousExpiresAtMs) || '-'],
  ]);
}

function state({ disabled, expiresAtMs, previousExpiresAtMs }: KeyView, nowMs: number): string {
  if (disabled) return 'disabled';
  if (expiresAtMs !== 0n && Number(expiresAtMs) <= nowMs) return 'expired';
  return previousExpiresAtMs === 0n ? 'active' : 'active, old key too';
}

const hint = ({ hint: first }: KeyView): string => (first === '' ? '-' : `${first}...`);

const modelsText = (models: readonly string[]): string => (models.length === 0 ? 'all' : models.join(','));

function limitsText(limits: KeyLimits | undefined): string {
  const named = {
    rpm: limits?.requestsPerMinute,
    tpm: limits?.tokensPerMinute,
    rpd: limits?.requestsPerDay,
    tpd: limits?.tokensPerDay,
    concurrency: limits?.concurrency,
  };
  const texts = Object.entries(named).flatMap(([name, value]) => (value ? [`${name}=${value}`] : []));
  return texts.join(' ') || '-';
}

export function budgetText(budget: Budget | undefined): string {
  return budget === undefined ? '-' : `$${budget.usd}/${windowName(budget.window)} ${modeName(budget.mode)}`;
}

function queueText(queue: Queue | undefined): string {
  return queue === undefined ? '-' : `at most ${queue.maxWaitMs} ms, at most ${queue.maxWaiting} requests`;
}

/** Empty for 0. */
export const timeText = (ms: bigint): string => (ms === 0n ? '' : new Date(Number(ms)).toISOString());
