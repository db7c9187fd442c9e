/**
 * Counters, gauges and histograms of one process. Own code because the OpenTelemetry metrics SDK costs about 9 us a
 * request in place and this 0.5 (PERFORMANCE 4); what is recorded here still leaves over OTLP (`otlp-metrics.ts`).
 *
 * Hot code asks for a series once and keeps it: recording then is an addition and, for histograms, a short scan.
 */
import { ATTR, type MetricDefinition, type MetricKind, metricName, type SemconvProfile } from './names.ts';
import { renderMerged } from './prometheus.ts';

/**
 * Series per metric before the rest share one. More than the OpenTelemetry SDK's 2,000: five kinds of tokens leave that room for
 * only 400 endpoints, and all values come from the operator's own configuration.
 */
const DEFAULT_SERIES_LIMIT = 20_000;
const LONGEST_LABEL = 256;

/** One series, as plain data: it crosses process borders as JSON. */
export interface SeriesSnapshot {
  readonly labels: Readonly<Record<string, string>>;
  /** Counters and gauges: the value. Histograms: the sum of what was recorded. */
  readonly value: number;
  /** Histograms only: per bucket, not cumulative, the last one open-ended. */
  readonly buckets?: readonly number[];
}

export interface FamilySnapshot {
  readonly name: string;
  readonly kind: MetricKind;
  readonly unit: string;
  readonly help: string;
  readonly boundaries?: readonly number[];
  /** How a gauge of several processes is shown. */
  readonly across?: GaugeScope;
  readonly series: readonly SeriesSnapshot[];
}

/** What one process has measured; plain data. */
export interface MetricsSnapshot {
  /** Stands in the `process` label of gauges that are not added up. */
  readonly process: string;
  readonly families: readonly FamilySnapshot[];
}

/**
 * How a gauge of several processes is shown: added up; each with a `process` label; or, for what they all know, once, with
 * the highest or lowest of what they say.
 */
export type GaugeScope = 'sum' | 'each' | 'highest' | 'lowest';

/** One series of a gauge that has several. */
export interface GaugeReading {
  /** Label values, in the order of the definition; empty ones are left out. */
  readonly values: readonly string[];
  readonly value: number;
}

export interface GaugeOptions {
  readonly unit?: string;
  /** Default `each`. */
  readonly across?: GaugeScope;
  readonly labels?: Readonly<Record<string, string>>;
}

export class CounterSeries {
  value = 0;

  add(amount: number): void {
    if (amount >= 0) this.value += amount;
  }
}

export class HistogramSeries {
  readonly buckets: Float64Array;
  readonly boundaries: Float64Array;
  sum = 0;

  constructor(boundaries: Float64Array) {
    this.boundaries = boundaries;
    this.buckets = new Float64Array(boundaries.length + 1);
  }

  record(value: number): void {
    if (!(value >= 0)) return;
    const boundaries = this.boundaries;
    let bucket = 0;
    while (bucket < boundaries.length && value > (boundaries[bucket] as number)) bucket++;
    this.buckets[bucket] = (this.buckets[bucket] as number) + 1;
    this.sum += value;
  }
}

/** All series of one metric, by label values. */
export class Family<Series extends CounterSeries | HistogramSeries> {
  readonly definition: MetricDefinition;
  readonly #create: () => Series;
  readonly #limit: number;
  readonly #series = new Map<string, { readonly values: readonly string[]; readonly series: Series }>();
  #overflow: Series | null = null;

  constructor(definition: MetricDefinition, limit: number, create: () => Series) {
    this.definition = definition;
    this.#limit = limit;
    this.#create = create;
  }

  /** The series with these label values, in the order of the definition; empty values are left out of what is exported. */
  series(...values: readonly string[]): Series {
    const key = values.join('\u0000');
    const found = this.#series.get(key);
    if (found !== undefined) return found.series;
    if (this.#series.size >= this.#limit) {
      this.#overflow ??= this.#create();
      return this.#overflow;
    }
    const series = this.#create();
    this.#series.set(key, { values: values.map((value) => value.slice(0, LONGEST_LABEL)), series });
    return series;
  }

  snapshot(profile: SemconvProfile): FamilySnapshot {
    const { name, kind, unit, help, labels, boundaries } = this.definition;
    const series: SeriesSnapshot[] = [];
    for (const entry of this.#series.values()) {
      series.push(snapshotOf(namedLabels(labels, entry.values), entry.series));
    }
    if (this.#overflow !== null) series.push(snapshotOf({ [ATTR.overflow]: 'true' }, this.#overflow));
    const family = { name: metricName(name, profile), kind, unit, help, series };
    return boundaries === undefined ? family : { ...family, boundaries };
  }
}

function namedLabels(labels: readonly string[], values: readonly string[]): Record<string, string> {
  const named: Record<string, string> = {};
  labels.forEach((label, index) => {
    const value = values[index];
    if (value !== undefined && value !== '') named[label] = value;
  });
  return named;
}

function snapshotOf(labels: Readonly<Record<string, string>>, series: CounterSeries | HistogramSeries): SeriesSnapshot {
  return series instanceof CounterSeries
    ? { labels, value: series.value }
    : { labels, value: series.sum, buckets: [...series.buckets] };
}

interface Gauge {
  readonly name: string;
  readonly help: string;
  readonly unit: string;
  readonly across: GaugeScope;
  /** Empty when nothing can be said. */
  readonly read: () => SeriesSnapshot[];
}

export interface MetricsOptions {
  /** Default: the cluster worker's number, else the process id. */
  readonly process?: string;
  readonly profile?: SemconvProfile;
  readonly seriesLimit?: number;
}

export class Metrics {
  readonly process: string;
  readonly #profile: SemconvProfile;
  readonly #seriesLimit: number;
  readonly #families = new Map<string, Family<CounterSeries> | Family<HistogramSeries>>();
  readonly #gauges = new Map<string, Gauge>();

  constructor(options: MetricsOptions = {}) {
    this.process = options.process ?? process.env.NODE_UNIQUE_ID ?? String(process.pid);
    this.#profile = options.profile ?? 'stable';
    this.#seriesLimit = options.seriesLimit ?? DEFAULT_SERIES_LIMIT;
  }

  counter(definition: MetricDefinition): Family<CounterSeries> {
    const family = new Family(definition, this.#seriesLimit, () => new CounterSeries());
    this.#register(definition.name);
    this.#families.set(definition.name, family);
    return family;
  }

  histogram(definition: MetricDefinition): Family<HistogramSeries> {
    if (definition.boundaries === undefined) throw new TypeError(`histogram ${definition.name} has no boundaries`);
    const boundaries = Float64Array.from(definition.boundaries);
    const family = new Family(definition, this.#seriesLimit, () => new HistogramSeries(boundaries));
    this.#register(definition.name);
    this.#families.set(definition.name, family);
    return family;
  }

  /**
   * A gauge read when somebody asks; a `read` that throws or gives no finite number leaves the gauge out.
   * @param name dotted, as in `names.ts`: `headgate.redis.up`
   */
  gauge(name: string, help: string, read: () => number, options: GaugeOptions = {}): void {
    const labels = options.labels ?? {};
    this.#gauge({
      name,
      help,
      unit: options.unit ?? '',
      across: options.across ?? 'each',
      read: () => finite([{ labels, value: read() }]),
    });
  }

  /** A gauge with a series a thing, read when somebody asks; what is no finite number is left out. */
  gauges(definition: MetricDefinition, across: GaugeScope, read: () => readonly GaugeReading[]): void {
    const { name, help, unit, labels } = definition;
    const series = ({ values, value }: GaugeReading): SeriesSnapshot => ({
      labels: namedLabels(labels, values),
      value,
    });
    this.#gauge({ name, help, unit, across, read: () => finite(read().map(series)) });
  }

  #gauge(gauge: Gauge): void {
    this.#register(gauge.name);
    this.#gauges.set(gauge.name, gauge);
  }

  /** Everything measured so far, as plain data that survives JSON. */
  serialise(): MetricsSnapshot {
    const families: FamilySnapshot[] = [];
    for (const gauge of this.#gauges.values()) {
      const series = readGauge(gauge);
      if (series.length === 0) continue;
      const { name, unit, help, across } = gauge;
      families.push({ name, kind: 'gauge', unit, help, across, series });
    }
    for (const family of this.#families.values()) families.push(family.snapshot(this.#profile));
    return { process: this.process, families };
  }

  /** Prometheus text exposition format 0.0.4 of this process alone; `renderMerged` takes several. */
  renderPrometheus(): string {
    return renderMerged([this.serialise()]);
  }

  #register(name: string): void {
    if (this.#families.has(name) || this.#gauges.has(name)) throw new Error(`metric ${name} is registered twice`);
  }
}

function readGauge(gauge: Gauge): SeriesSnapshot[] {
  try {
    return gauge.read();
  } catch {
    return [];
  }
}

const finite = (series: readonly SeriesSnapshot[]): SeriesSnapshot[] =>
  series.filter(({ value }) => Number.isFinite(value));
