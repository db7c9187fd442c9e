export { addEndpointMetrics, type EndpointState } from './endpoint-metrics.ts';
export {
  createLogger,
  type LogDestination,
  type LogFields,
  type Logger,
  type LoggerOptions,
  type LogLevel,
} from './logger.ts';
export {
  type CounterSeries,
  type Family,
  type FamilySnapshot,
  type GaugeOptions,
  type GaugeReading,
  type GaugeScope,
  type HistogramSeries,
  Metrics,
  type MetricsOptions,
  type MetricsSnapshot,
  type SeriesSnapshot,
} from './metrics.ts';
export { ATTR, genAiProviderName, METRIC, type MetricDefinition, type MetricKind } from './names.ts';
export type {
  AttemptEnd,
  AttemptObservation,
  AttemptStart,
  JobStart,
  RequestEnd,
  RequestObservation,
  RequestStart,
  RouteInfo,
  TokenUsage,
  UsageSource,
} from './observation.ts';
export { packageVersion } from './package-version.ts';
export { mergeSnapshots, PROMETHEUS_CONTENT_TYPE, renderMerged, withoutGauges } from './prometheus.ts';
export { isSecretName, redactText } from './redact.ts';
export { startTelemetry, type Telemetry, type TelemetryOptions } from './telemetry.ts';
export { outliveRejections } from './unhandled.ts';
