import { toJson } from '@bufbuild/protobuf';
import { type BudgetState, BudgetStateSchema, type ReportRow, ReportRowSchema } from '@headgate/proto/admin';
import { CredentialType, type UsageRecord, UsageRecordSchema, UsageSource } from '@headgate/proto/usage';
import type { AdminApi } from './connection.ts';
import { Failed } from './failure.ts';
import { budgetText, timeText } from './key-text.ts';
import { findKey } from './keys.ts';
import { type Column, fields, table } from './table.ts';
import { jsonText, type Terminal } from './terminal.ts';

export const REPORT_OPTIONS = {
  from: { type: 'string' },
  to: { type: 'string' },
  'group-by': { type: 'string' },
  key: { type: 'string' },
  user: { type: 'string' },
  model: { type: 'string' },
  provider: { type: 'string' },
} as const;

export type ReportOptions = { readonly [Name in keyof typeof REPORT_OPTIONS]?: string | undefined };

/** Of this month, by day, where the options say nothing else. */
export async function showReport(api: AdminApi, terminal: Terminal, options: ReportOptions): Promise<void> {
  const today = new Date().toISOString().slice(0, 10);
  const groupBy = options['group-by'] ?? 'day';
  const { rows } = await api.usage.getReport({
    startDate: options.from ?? `${today.slice(0, 8)}01`,
    endDate: options.to ?? today,
    groupBy,
    keyId: options.key === undefined ? '' : (await findKey(api, options.key)).id,
    user: options.user ?? '',
    model: options.model ?? '',
    provider: options.provider ?? '',
  });
  if (terminal.json) {
    return terminal.out(
      jsonText({ rows: rows.map((row) => toJson(ReportRowSchema, row, { alwaysEmitImplicit: true })) }),
    );
  }
  terminal.out(table(reportColumns(groupBy), rows));
}

function reportColumns(groupBy: string): readonly Column<ReportRow>[] {
  const number = (title: string, of: (row: ReportRow) => bigint | string) => ({
    title,
    of: (row: ReportRow) => String(of(row)),
    right: true,
  });
  return [
    { title: groupBy.toUpperCase(), of: ({ group }) => group || '-' },
    number('REQUESTS', (row) => row.requestCount),
    number('INPUT', (row) => row.inputTokens),
    number('CACHED', (row) => row.cachedInputTokens),
    number('OUTPUT', (row) => row.outputTokens),
    number('REASONING', (row) => row.reasoningTokens),
    number('COST USD', (row) => row.totalCost),
    number('MARKET USD', (row) => row.marketCost),
  ];
}

export async function showGeneration({ usage }: AdminApi, terminal: Terminal, id: string): Promise<void> {
  const { record } = await usage.getGeneration({ id });
  if (record === undefined)
    throw new Failed('the answer holds no generation: is this an admin API of another version?');
  if (terminal.json) return terminal.out(jsonText(toJson(UsageRecordSchema, record, { alwaysEmitImplicit: true })));
  terminal.out(fields(generationFields(record)));
}

function generationFields(record: UsageRecord): readonly (readonly [string, string])[] {
  const tokens = (count: bigint | undefined) => (count === undefined ? '-' : String(count));
  return [
    ['id', record.generationId],
    ['request', record.requestId],
    ['time', timeText(record.createdAtMs)],
    ['key', `${record.keyName} (${record.principalId})`],
    ['group', record.group || '-'],
    ['user', record.user || '-'],
    ['tags', record.tags.join(', ') || '-'],
    ['model', `${record.model} by ${record.provider} as ${record.providerModel}`],
    ['credential', CredentialType[record.credentialType]?.toLowerCase() ?? '-'],
    ['status', record.errorType === '' ? String(record.status) : `${record.status} ${record.errorType}`],
    ['finish reason', record.finishReason || '-'],
    ['streamed', record.streamed ? 'yes' : 'no'],
    ['client left', record.clientAborted ? 'yes' : 'no'],
    ['input tokens', tokens(record.inputTokens)],
    ['cache reads', tokens(record.cacheReadTokens)],
    ['cache writes', tokens(record.cacheWriteTokens)],
    ['output tokens', tokens(record.outputTokens)],
    ['reasoning tokens', tokens(record.reasoningTokens)],
    ['counted by', UsageSource[record.usageSource]?.toLowerCase() ?? '-'],
    ['cost', record.costUsd === '' ? 'unknown' : `$${record.costUsd}`],
    ['market cost', record.marketCostUsd === '' ? 'unknown' : `$${record.marketCostUsd}`],
    ['attempts', String(record.attempts)],
    ['first token', `${record.latencyMs} ms`],
    ['whole answer', `${record.generationMs} ms`],
  ];
}

export async function showBudgets({ usage }: AdminApi, terminal: Terminal): Promise<void> {
  const { budgets } = await usage.listBudgets({});
  if (terminal.json) {
    const states = budgets.map((state) => toJson(BudgetStateSchema, state, { alwaysEmitImplicit: true }));
    return terminal.out(jsonText({ budgets: states }));
  }
  terminal.out(table(BUDGET_COLUMNS, budgets));
}

const BUDGET_COLUMNS: readonly Column<BudgetState>[] = [
  { title: 'OF', of: ({ subjectKind }) => subjectKind },
  { title: 'NAME', of: ({ name }) => name },
  { title: 'BUDGET', of: ({ budget }) => budgetText(budget) },
  { title: 'SPENT USD', of: ({ spentUsd }) => spentUsd, right: true },
  { title: 'RESETS', of: ({ resetsAtMs }) => timeText(resetsAtMs) || 'never' },
];
