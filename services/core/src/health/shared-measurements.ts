import { fromJsonString } from '@bufbuild/protobuf';
import { type MeasurementSummary, type Measurements, MeasurementsSchema } from '@headgate/proto/health';
import { type HealthKeys, LuaScript, type RedisClient } from '../redis/index.ts';
import type { EndpointStatistics, Quantiles, Uptime } from './board-contract.ts';
import { count, type Histogram, quantile } from './histogram.ts';
import { endpointField, type MeasurementLog, modelField } from './measurement-log.ts';
import type { RedisClock } from './redis-clock.ts';
import { parseSummaries } from './shared-breakers.ts';

const MEASURE = new LuaScript(new URL('./measure.lua', import.meta.url));
const READ_SLICES = new LuaScript(new URL('./read-slices.lua', import.meta.url));

/** After this time a measurement counts half in what plans go by. */
export const HALF_LIFE_MS = 300_000;

const MINUTE_MS = 60_000;
const QUARTER_MS = 900_000;
/** Slices that make an hour and a day, with the one that has just begun. */
const MINUTES = 61;
const QUARTERS = 97;
/** Longer than anybody reads them. */
const KEEP_MINUTES_MS = (MINUTES + 2) * MINUTE_MS;
const KEEP_QUARTERS_MS = (QUARTERS + 1) * QUARTER_MS;
const FIELDS_A_READ = 200;

type Slice = Pick<Measurements, 'successes' | 'failures' | 'ttft' | 'speed'>;

interface Slices {
  /** Newest first. */
  readonly minutes: readonly (Slice | null)[];
  readonly quarters: readonly (Slice | null)[];
}

/** The measurements in Redis. Calls throw when Redis does not take them. */
export class SharedMeasurements {
  readonly #client: RedisClient;
  readonly #keys: HealthKeys;
  readonly #clock: RedisClock;

  constructor(client: RedisClient, keys: HealthKeys, clock: RedisClock) {
    this.#client = client;
    this.#keys = keys;
    this.#clock = clock;
  }

  /** Adds what was taken from the log; returns the endpoints' summaries. `at`: see SharedBreakers.apply. */
  async add(
    increments: NonNullable<ReturnType<MeasurementLog['take']>>,
    at = 0,
  ): Promise<readonly MeasurementSummary[]> {
    const now = at === 0 ? this.#clock.now() : at;
    const { decayed, summaries, minuteSlice, quarterSlice } = this.#keys;
    const reply = await MEASURE.run(
      this.#client,
      [decayed, summaries, minuteSlice(Math.floor(now / MINUTE_MS)), quarterSlice(Math.floor(now / QUARTER_MS))],
      [at, HALF_LIFE_MS, KEEP_MINUTES_MS, KEEP_QUARTERS_MS, JSON.stringify(increments)],
    );
    return Array.isArray(reply) ? parseSummaries(reply[1]) : [];
  }

  async endpoints(endpointKeys: readonly string[], at?: number): Promise<ReadonlyMap<string, EndpointStatistics>> {
    const slices = await this.#read(endpointKeys.map(endpointField), at);
    return new Map(endpointKeys.map((key) => [key, statisticsOf(slices.get(endpointField(key)))]));
  }

  async models(modelIds: readonly string[], at?: number): Promise<ReadonlyMap<string, Uptime>> {
    const slices = await this.#read(modelIds.map(modelField), at);
    return new Map(modelIds.map((id) => [id, uptimeOf(slices.get(modelField(id)))]));
  }

  async #read(fields: readonly string[], at = this.#clock.now()): Promise<ReadonlyMap<string, Slices>> {
    const minute = Math.floor(at / MINUTE_MS);
    const quarter = Math.floor(at / QUARTER_MS);
    const keys = [
      ...Array.from({ length: MINUTES }, (_, age) => this.#keys.minuteSlice(minute - age)),
      ...Array.from({ length: QUARTERS }, (_, age) => this.#keys.quarterSlice(quarter - age)),
    ];
    const found = new Map<string, Slices>();
    for (let from = 0; from < fields.length; from += FIELDS_A_READ) {
      const asked = fields.slice(from, from + FIELDS_A_READ);
      const reply = await READ_SLICES.run(this.#client, keys, asked);
      if (!Array.isArray(reply)) continue;
      const slices = reply.map((values: unknown) => (Array.isArray(values) ? values.map(toSlice) : []));
      for (const [index, field] of asked.entries()) {
        const own = slices.map((values) => values[index] ?? null);
        found.set(field, { minutes: own.slice(0, MINUTES), quarters: own.slice(MINUTES) });
      }
    }
    return found;
  }
}

export const UNKNOWN_UPTIME: Uptime = { last15m: null, last1h: null, last1d: null };
export const UNKNOWN_STATISTICS: EndpointStatistics = {
  uptime: UNKNOWN_UPTIME,
  latencyLast1h: null,
  throughputLast1h: null,
};

const toSlice = (json: unknown): Slice | null =>
  typeof json === 'string' ? fromJsonString(MeasurementsSchema, json, { ignoreUnknownFields: true }) : null;

function statisticsOf(slices: Slices | undefined): EndpointStatistics {
  if (slices === undefined) return UNKNOWN_STATISTICS;
  return {
    uptime: uptimeOf(slices),
    latencyLast1h: quantilesOf(slices.minutes.map((slice) => slice?.ttft)),
    throughputLast1h: quantilesOf(slices.minutes.map((slice) => slice?.speed)),
  };
}

function uptimeOf(slices: Slices | undefined): Uptime {
  if (slices === undefined) return UNKNOWN_UPTIME;
  return {
    // The slice that has just begun and so many whole ones.
    last15m: share(slices.minutes.slice(0, 16)),
    last1h: share(slices.minutes),
    last1d: share(slices.quarters),
  };
}

function share(slices: readonly (Slice | null)[]): number | null {
  let successes = 0;
  let failures = 0;
  for (const slice of slices) {
    successes += slice?.successes ?? 0;
    failures += slice?.failures ?? 0;
  }
  return successes + failures === 0 ? null : successes / (successes + failures);
}

function quantilesOf(counts: readonly (Readonly<Record<number, number>> | undefined)[]): Quantiles | null {
  const histogram: Histogram = new Map();
  for (const slice of counts) {
    for (const [bucket, times] of Object.entries(slice ?? {})) count(histogram, Number(bucket), times);
  }
  const p50 = quantile(histogram, 0.5);
  const p95 = quantile(histogram, 0.95);
  return p50 === null || p95 === null ? null : { p50, p95 };
}
