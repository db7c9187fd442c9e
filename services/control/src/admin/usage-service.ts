import { create } from '@bufbuild/protobuf';
import { Code, ConnectError, type ServiceImpl } from '@connectrpc/connect';
import {
  GROUPINGS,
  type Grouping,
  isGenerationId,
  LONGEST_HOURLY_DAYS,
  LONGEST_REPORT_DAYS,
  type Reports,
  type ReportRow as Row,
  usd,
} from '@headgate/core/ledger';
import type { GetGenerationRequest, GetReportRequest, UsageService } from '@headgate/proto/admin';
import {
  GetGenerationResponseSchema,
  GetReportResponseSchema,
  ListBudgetsResponseSchema,
  type ReportRow,
  ReportRowSchema,
} from '@headgate/proto/admin';
import type { Budgets } from './budgets.ts';
import { Problems } from './problems.ts';

const DAY_MS = 24 * 3_600_000;

/** UsageService of the admin API: what was used, by all keys. */
export class UsageReports implements ServiceImpl<typeof UsageService> {
  readonly #reports: Reports;
  readonly #budgets: Budgets;

  constructor(reports: Reports, budgets: Budgets) {
    this.#reports = reports;
    this.#budgets = budgets;
  }

  async getGeneration({ id }: GetGenerationRequest) {
    const problems = new Problems();
    if (!isGenerationId(id)) problems.add('id', id === '' ? 'nothing' : 'something else', 'a generation id, gen_...');
    problems.throwIfAny();
    const record = await this.#reports.generation(id, null);
    if (record === null) {
      throw new ConnectError('there is no generation of this id, or it is no longer kept', Code.NotFound);
    }
    return create(GetGenerationResponseSchema, { record });
  }

  async getReport(request: GetReportRequest) {
    const groupBy = checkReport(request);
    const { startDate, endDate, keyId, user, model, provider } = request;
    const rows = await this.#reports.report({
      principalId: keyId === '' ? null : keyId,
      startDate,
      endDate,
      groupBy,
      user: user === '' ? undefined : user,
      model: model === '' ? undefined : model,
      provider: provider === '' ? undefined : provider,
    });
    return create(GetReportResponseSchema, { rows: rows.map(reportRow) });
  }

  async listBudgets() {
    return create(ListBudgetsResponseSchema, { budgets: await this.#budgets.list(Date.now()) });
  }
}

function checkReport({ startDate, endDate, groupBy }: GetReportRequest): Grouping {
  const problems = new Problems();
  const grouping = groupBy === '' ? 'day' : GROUPINGS.find((name) => name === groupBy);
  if (grouping === undefined) problems.add('groupBy', 'something else', `one of ${GROUPINGS.join(', ')}`);
  for (const [field, text] of Object.entries({ startDate, endDate })) {
    if (!isDay(text)) problems.add(field, text === '' ? 'nothing' : 'something else', 'a day such as 2026-01-31');
  }
  problems.throwIfAny();
  const days = (Date.parse(endDate) - Date.parse(startDate)) / DAY_MS + 1;
  const most = grouping === 'hour' ? LONGEST_HOURLY_DAYS : LONGEST_REPORT_DAYS;
  if (days < 1) problems.add('endDate', 'a day before startDate', 'the same day or a later one');
  if (days > most) problems.add('endDate', `${days} days`, `at most ${most} days for a report by ${grouping}`);
  problems.throwIfAny();
  return grouping ?? 'day';
}

function isDay(text: string): boolean {
  if (!/^\d{4}-\d\d-\d\d$/.test(text)) return false;
  const at = Date.parse(text);
  // 30 February is none.
  return !Number.isNaN(at) && new Date(at).toISOString().startsWith(text);
}

function reportRow({ name, sums }: Row): ReportRow {
  return create(ReportRowSchema, {
    group: name,
    totalCost: usd(sums.cost),
    marketCost: usd(sums.marketCost),
    inputTokens: BigInt(sums.inputTokens),
    outputTokens: BigInt(sums.outputTokens),
    cachedInputTokens: BigInt(sums.cacheReadTokens),
    cacheCreationInputTokens: BigInt(sums.cacheWriteTokens),
    reasoningTokens: BigInt(sums.reasoningTokens),
    requestCount: BigInt(sums.requests),
  });
}
