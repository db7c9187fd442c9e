import type { HttpRequest } from 'uWebSockets.js';
import { GatewayError } from '@headgate/core/errors';
import type { Principal } from '@headgate/core/identity';
import {
  fromDecimal,
  GROUPINGS,
  type Grouping,
  isGenerationId,
  LONGEST_HOURLY_DAYS,
  LONGEST_REPORT_DAYS,
  type ReportQuery,
  usd,
} from '@headgate/core/ledger';
import { windowAt } from '@headgate/core/limits';
import type { Exchange } from './exchange.ts';
import type { Gateway } from './gateway.ts';
import { ledgerAway, withCaller } from './identify.ts';
import { generationDocument, reportRow } from './usage-documents.ts';

const DAY_MS = 24 * 3_600_000;
const DATE = /^\d{4}-\d{2}-\d{2}$/;
/** A frozen Redis must not hold a request. */
const PATIENCE_MS = 2_000;

/** `GET /v1/generation?id=` (WIRE 2.7): one generation of the caller's own. */
export function serveGeneration(exchange: Exchange, gateway: Gateway, req: HttpRequest): void {
  const id = req.getQuery('id') ?? '';
  withCaller(exchange, gateway, async (principal) => {
    if (!isGenerationId(id)) throw invalid('id', 'expected a generation id, gen_ and a ULID');
    const record = await inTime(gateway.reports.generation(id, principal.id));
    if (record === null) {
      throw new GatewayError('not_found', `There is no generation '${id}' of this key, or it is no longer kept.`, {
        param: 'id',
        code: 'generation_not_found',
      });
    }
    exchange.answerJson(200, JSON.stringify({ data: generationDocument(record) }));
  });
}

/**
 * `GET /v1/credits` (WIRE 2.7): what is left of the caller's budget in the window that runs, and what it has used since ever.
 * Without a budget nothing is left to count down: the balance is "0".
 */
export function serveCredits(exchange: Exchange, gateway: Gateway): void {
  withCaller(exchange, gateway, async (principal) => {
    const [total, spent] = await inTime(
      Promise.all([gateway.reports.total(principal.id), spentInWindow(gateway, principal)]),
    );
    const budget = principal.budget === null ? 0n : fromDecimal(principal.budget.usd);
    const left = budget > spent ? budget - spent : 0n;
    exchange.answerJson(200, JSON.stringify({ balance: usd(left), total_used: usd(total.cost) }));
  });
}

async function spentInWindow({ reports }: Gateway, { id, budget }: Principal): Promise<bigint> {
  if (budget === null) return 0n;
  if (budget.window === 'total') return (await reports.total(id)).cost;
  const now = Date.now();
  const startDate = dayOf(windowAt(budget.window, now).startMs);
  const rows = await reports.report({ principalId: id, startDate, endDate: dayOf(now), groupBy: 'day' });
  return rows.reduce((sum, { sums }) => sum + sums.cost, 0n);
}

/** `GET /v1/report` (WIRE 2.7): what the caller's key has used, by day or by one of its dimensions. */
export function serveReport(exchange: Exchange, gateway: Gateway, req: HttpRequest): void {
  const given = (name: string): string | undefined => req.getQuery(name) || undefined;
  const query = {
    start: given('start_date'),
    end: given('end_date'),
    groupBy: given('group_by') ?? 'day',
    datePart: given('date_part') ?? 'day',
    user: given('user_id'),
    model: given('model'),
    provider: given('provider'),
    credentialType: given('credential_type'),
    tags: given('tags'),
  };
  withCaller(exchange, gateway, async (principal) => {
    const asked = readQuery(query, principal.id);
    const rows = await inTime(gateway.reports.report(asked));
    exchange.answerJson(200, JSON.stringify({ results: rows.map((row) => reportRow(asked.groupBy, row)) }));
  });
}

interface GivenQuery {
  readonly start: string | undefined;
  readonly end: string | undefined;
  readonly groupBy: string;
  readonly datePart: string;
  readonly user: string | undefined;
  readonly model: string | undefined;
  readonly provider: string | undefined;
  readonly credentialType: string | undefined;
  readonly tags: string | undefined;
}

function readQuery(given: GivenQuery, principalId: string): ReportQuery {
  const startDate = readDate('start_date', given.start);
  const endDate = readDate('end_date', given.end);
  if (endDate < startDate) throw invalid('end_date', 'it lies before start_date');
  const groupBy = readGrouping(given.groupBy, given.datePart);
  const most = groupBy === 'hour' ? LONGEST_HOURLY_DAYS : LONGEST_REPORT_DAYS;
  if ((Date.parse(endDate) - Date.parse(startDate)) / DAY_MS >= most) {
    throw invalid('end_date', `expected at most ${most} days`);
  }
  const { credentialType } = given;
  if (credentialType !== undefined && credentialType !== 'byok' && credentialType !== 'system') {
    throw invalid('credential_type', 'expected byok or system');
  }
  return {
    principalId,
    startDate,
    endDate,
    groupBy,
    user: given.user,
    model: given.model,
    provider: given.provider,
    credentialType,
    tags: given.tags?.split(',').filter((tag) => tag !== ''),
  };
}

function readDate(name: string, text: string | undefined): string {
  if (text === undefined) throw invalid(name, 'it is missing, expected a day such as 2026-01-31');
  const at = DATE.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(at) || dayOf(at) !== text) throw invalid(name, 'expected a day such as 2026-01-31');
  return text;
}

/** `date_part` says how fine days are. */
function readGrouping(groupBy: string, datePart: string): Grouping {
  const public_ = GROUPINGS.filter((name) => name !== 'key' && name !== 'group' && name !== 'hour');
  const grouping = public_.find((name) => name === groupBy);
  if (grouping === undefined) throw invalid('group_by', `expected one of ${public_.join(', ')}`);
  if (datePart !== 'day' && datePart !== 'hour') throw invalid('date_part', 'expected day or hour');
  return grouping === 'day' && datePart === 'hour' ? 'hour' : grouping;
}

const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

function invalid(name: string, why: string): GatewayError {
  return new GatewayError('invalid_request_error', `Invalid value for '${name}': ${why}.`, {
    param: name,
    code: 'invalid_value',
  });
}

async function inTime<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('no answer in time')), PATIENCE_MS);
  });
  try {
    return await Promise.race([work, late]);
  } catch (thrown) {
    throw ledgerAway(thrown);
  } finally {
    clearTimeout(timer);
  }
}
