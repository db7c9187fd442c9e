import { fromBinary } from '@bufbuild/protobuf';
import { type UsageRecord, UsageRecordSchema } from '@headgate/proto/usage';
import type { RedisClient, RedisKeys } from '../redis/index.ts';
import { type Dimensions, readDimensions } from './dimensions.ts';
import { generationSlice, isGenerationId } from './generation-id.ts';
import { addSums, NO_SUMS, readSums, type Sums } from './sums.ts';

const DAY_MS = 24 * 3_600_000;
/** More would hold up Redis and us for a single question. */
export const LONGEST_REPORT_DAYS = 366;
export const LONGEST_HOURLY_DAYS = 35;

export const GROUPINGS = [
  'day',
  'hour',
  'user',
  'model',
  'provider',
  'credential_type',
  'tag',
  'key',
  'group',
] as const;

export type Grouping = (typeof GROUPINGS)[number];

export interface ReportQuery {
  /** Null: all of them. */
  readonly principalId: string | null;
  /** Days, both inclusive: 2026-01-31. */
  readonly startDate: string;
  readonly endDate: string;
  readonly groupBy: Grouping;
  readonly user?: string | undefined;
  readonly model?: string | undefined;
  readonly provider?: string | undefined;
  readonly credentialType?: 'system' | 'byok' | undefined;
  /** Generations that have at least one of them. */
  readonly tags?: readonly string[] | undefined;
}

export interface ReportRow {
  readonly name: string;
  readonly sums: Sums;
}

/** What the ledger knows: single generations, and sums of them. Fails when Redis is away. */
export class Reports {
  readonly #client: RedisClient;
  readonly #keys: RedisKeys['ledger'];

  constructor(client: RedisClient, keys: RedisKeys) {
    this.#client = client;
    this.#keys = keys.ledger;
  }

  /** Null when there is none, or it is somebody else's, or too old. */
  async generation(id: string, principalId: string | null): Promise<UsageRecord | null> {
    if (!isGenerationId(id)) return null;
    const bytes = await this.#client.hgetBuffer(this.#keys.generations(generationSlice(id)), id);
    if (bytes === null) return null;
    const record = fromBinary(UsageRecordSchema, bytes);
    return principalId === null || record.principalId === principalId ? record : null;
  }

  /** Everything that one principal has ever used. */
  async total(principalId: string): Promise<Sums> {
    const text = await this.#client.hget(this.#keys.total(principalId), 'all');
    return text === null ? NO_SUMS : readSums(text);
  }

  /** Rows in the order of their names. */
  async report(query: ReportQuery): Promise<ReportRow[]> {
    const rows = new Map<string, Sums>();
    for (const period of periods(query)) {
      for (const principalId of await this.#principals(query, period)) {
        const stored = await this.#client.hgetall(this.#keys.sums(principalId, period));
        for (const [name, text] of Object.entries(stored)) {
          const dimensions = readDimensions(name);
          if (!matches(dimensions, query)) continue;
          const sums = readSums(text);
          for (const row of rowsOf(dimensions, period, query)) rows.set(row, addSums(rows.get(row) ?? NO_SUMS, sums));
        }
      }
    }
    return [...rows].map(([name, sums]) => ({ name, sums })).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async #principals({ principalId }: ReportQuery, period: string): Promise<readonly string[]> {
    return principalId === null ? this.#client.smembers(this.#keys.principals(period.slice(0, 10))) : [principalId];
  }
}

function periods({ startDate, endDate, groupBy }: ReportQuery): string[] {
  const days: string[] = [];
  for (let at = Date.parse(startDate); at <= Date.parse(endDate); at += DAY_MS) {
    days.push(new Date(at).toISOString().slice(0, 10));
  }
  if (groupBy !== 'hour') return days;
  return days.flatMap((day) => Array.from({ length: 24 }, (_, hour) => `${day}T${String(hour).padStart(2, '0')}`));
}

function matches(dimensions: Dimensions, { user, model, provider, credentialType, tags }: ReportQuery): boolean {
  return (
    (user === undefined || dimensions.user === user) &&
    (model === undefined || dimensions.model === model) &&
    (provider === undefined || dimensions.provider === provider) &&
    (credentialType === undefined || dimensions.credentialType === credentialType) &&
    (tags === undefined || tags.some((tag) => dimensions.tags.includes(tag)))
  );
}

/** A generation with several tags counts for each of them. */
function rowsOf(dimensions: Dimensions, period: string, { groupBy, tags }: ReportQuery): readonly string[] {
  switch (groupBy) {
    case 'day':
    case 'hour':
      return [period];
    case 'tag':
      return tags === undefined ? dimensions.tags : dimensions.tags.filter((tag) => tags.includes(tag));
    case 'credential_type':
      return [dimensions.credentialType];
    case 'key':
      return [dimensions.keyName];
    case 'user':
    case 'model':
    case 'provider':
    case 'group':
      return [dimensions[groupBy]];
    default:
      return groupBy satisfies never;
  }
}
