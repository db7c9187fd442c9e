/** Our metrics on their way out through the SDK's readers and exporters; loaded only when metrics are exported. */
import { type HrTime, ValueType } from '@opentelemetry/api';
import { emptyResource } from '@opentelemetry/resources';
import {
  AggregationTemporality,
  type CollectionResult,
  ConsoleMetricExporter,
  type DataPoint,
  DataPointType,
  type Histogram,
  type MetricData,
  type MetricProducer,
  PeriodicExportingMetricReader,
  type PushMetricExporter,
} from '@opentelemetry/sdk-metrics';
import type { FamilySnapshot, Metrics, SeriesSnapshot } from './metrics.ts';
import { SCOPE } from './names.ts';
import type { Env } from './sdk-settings.ts';

const DEFAULT_INTERVAL_MS = 60_000;
const DEFAULT_TIMEOUT_MS = 30_000;

/** The reader of `OTEL_METRICS_EXPORTER`, with our metrics as its producer. */
export async function metricReader(
  exporter: 'otlp' | 'console',
  metrics: Metrics,
  version: string,
  env: Env,
): Promise<PeriodicExportingMetricReader> {
  const interval = positive(env.OTEL_METRIC_EXPORT_INTERVAL) ?? DEFAULT_INTERVAL_MS;
  return new PeriodicExportingMetricReader({
    exporter: exporter === 'console' ? new ConsoleMetricExporter() : await otlpExporter(env),
    exportIntervalMillis: interval,
    exportTimeoutMillis: Math.min(positive(env.OTEL_METRIC_EXPORT_TIMEOUT) ?? DEFAULT_TIMEOUT_MS, interval),
    metricProducers: [new SnapshotProducer(metrics, version)],
  });
}

/** Endpoint, headers, TLS and compression are read from the environment by the exporters themselves. */
async function otlpExporter(env: Env): Promise<PushMetricExporter> {
  const protocol = env.OTEL_EXPORTER_OTLP_METRICS_PROTOCOL ?? env.OTEL_EXPORTER_OTLP_PROTOCOL ?? '';
  switch (protocol.trim()) {
    case 'grpc':
      return new (await import('@opentelemetry/exporter-metrics-otlp-grpc')).OTLPMetricExporter();
    case 'http/json':
      return new (await import('@opentelemetry/exporter-metrics-otlp-http')).OTLPMetricExporter();
    default:
      return new (await import('@opentelemetry/exporter-metrics-otlp-proto')).OTLPMetricExporter();
  }
}

/** Cumulative since the start of the process, whatever temporality the exporter prefers. */
class SnapshotProducer implements MetricProducer {
  readonly #metrics: Metrics;
  readonly #version: string;
  readonly #startTime: HrTime = hrTime(performance.timeOrigin);

  constructor(metrics: Metrics, version: string) {
    this.#metrics = metrics;
    this.#version = version;
  }

  collect(): Promise<CollectionResult> {
    const endTime = hrTime(Date.now());
    const metrics = this.#metrics
      .serialise()
      .families.filter((family) => family.series.length > 0)
      .map((family) => metricData(family, this.#startTime, endTime));
    const scopeMetrics = [{ scope: { name: SCOPE, version: this.#version }, metrics }];
    // The reader takes the resource from the SDK's own provider.
    return Promise.resolve({ resourceMetrics: { resource: emptyResource(), scopeMetrics }, errors: [] });
  }
}

function metricData(family: FamilySnapshot, startTime: HrTime, endTime: HrTime): MetricData {
  const base = {
    descriptor: {
      name: family.name,
      description: family.help,
      unit: family.unit,
      valueType: ValueType.DOUBLE,
    },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
  };
  const point = (series: SeriesSnapshot): DataPoint<number> => ({
    startTime,
    endTime,
    attributes: series.labels,
    value: series.value,
  });
  switch (family.kind) {
    case 'counter':
      return { ...base, dataPointType: DataPointType.SUM, isMonotonic: true, dataPoints: family.series.map(point) };
    case 'gauge':
      return { ...base, dataPointType: DataPointType.GAUGE, dataPoints: family.series.map(point) };
    case 'histogram': {
      const dataPoints = family.series.map((series) => ({
        ...point(series),
        value: histogramOf(series, family.boundaries ?? []),
      }));
      return { ...base, dataPointType: DataPointType.HISTOGRAM, dataPoints };
    }
  }
}

function histogramOf(series: SeriesSnapshot, boundaries: readonly number[]): Histogram {
  const counts = [...(series.buckets ?? [])];
  return {
    buckets: { boundaries: [...boundaries], counts },
    sum: series.value,
    count: counts.reduce((sum, count) => sum + count, 0),
  };
}

function hrTime(unixMs: number): HrTime {
  const seconds = Math.floor(unixMs / 1000);
  return [seconds, Math.round((unixMs - seconds * 1000) * 1e6)];
}

function positive(text: string | undefined): number | null {
  const number = Number(text ?? Number.NaN);
  return number > 0 && Number.isFinite(number) ? number : null;
}
