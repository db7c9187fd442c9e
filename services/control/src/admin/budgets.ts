import { create } from '@bufbuild/protobuf';
import { type BudgetPolicy, toBudget } from '@headgate/core/catalog';
import { type Reports, usd } from '@headgate/core/ledger';
import { windowAt } from '@headgate/core/limits';
import type { KeyStore } from '@headgate/core/snapshot';
import { type BudgetState, BudgetStateSchema } from '@headgate/proto/admin';
import type { ApiKey, Budget } from '@headgate/proto/api_key';

/** Of which groups have a budget, as headgate.yaml says now. */
export type GroupBudgets = () => ReadonlyMap<string, Budget>;

/** Every budget of a key or a group, with what the ledger has of its window: some seconds behind what limits count. */
export class Budgets {
  readonly #store: KeyStore;
  readonly #reports: Reports;
  readonly #groups: GroupBudgets;

  constructor(store: KeyStore, reports: Reports, groups: GroupBudgets) {
    this.#store = store;
    this.#reports = reports;
    this.#groups = groups;
  }

  async list(nowMs: number): Promise<BudgetState[]> {
    const keys = await this.#store.list();
    const states: BudgetState[] = [];
    for (const key of keys) {
      const policy = toBudget(key.budget);
      if (policy === null || key.budget === undefined) continue;
      const spent = await this.#spentByKey(key.id, policy, nowMs);
      states.push(stateOf('key', key.id, key.name, key.budget, policy, spent, nowMs));
    }
    for (const [group, budget] of this.#groups()) {
      const policy = toBudget(budget);
      if (policy === null) continue;
      const spent = await this.#spentByGroup(group, policy, keys, nowMs);
      states.push(stateOf('group', group, group, budget, policy, spent, nowMs));
    }
    return states;
  }

  async #spentByKey(principalId: string, { window }: BudgetPolicy, nowMs: number): Promise<bigint> {
    if (window === 'total') return (await this.#reports.total(principalId)).cost;
    const rows = await this.#reports.report({ principalId, ...days(window, nowMs), groupBy: 'day' });
    return rows.reduce((sum, { sums }) => sum + sums.cost, 0n);
  }

  async #spentByGroup(
    group: string,
    { window }: BudgetPolicy,
    keys: readonly ApiKey[],
    nowMs: number,
  ): Promise<bigint> {
    if (window === 'total') {
      // The ledger has totals of keys only: of those that are there and in the group now.
      const totals = await Promise.all(
        keys.filter((key) => key.group === group).map(({ id }) => this.#reports.total(id)),
      );
      return totals.reduce((sum, { cost }) => sum + cost, 0n);
    }
    const rows = await this.#reports.report({ principalId: null, ...days(window, nowMs), groupBy: 'group' });
    return rows.find(({ name }) => name === group)?.sums.cost ?? 0n;
  }
}

function stateOf(
  subjectKind: 'key' | 'group',
  subjectId: string,
  name: string,
  budget: Budget,
  { window }: BudgetPolicy,
  spent: bigint,
  nowMs: number,
): BudgetState {
  const { endMs } = windowAt(window, nowMs);
  return create(BudgetStateSchema, {
    subjectKind,
    subjectId,
    name,
    budget,
    spentUsd: usd(spent),
    resetsAtMs: window === 'total' ? 0n : BigInt(endMs),
  });
}

function days(window: BudgetPolicy['window'], nowMs: number): { readonly startDate: string; readonly endDate: string } {
  const day = (ms: number) => new Date(ms).toISOString().slice(0, 10);
  return { startDate: day(windowAt(window, nowMs).startMs), endDate: day(nowMs) };
}
