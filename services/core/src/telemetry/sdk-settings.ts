/** Which signals the standard `OTEL_*` variables ask us to export; read before anything of the SDK is loaded. */

export type Env = Readonly<Record<string, string | undefined>>;

export interface SdkSettings {
  readonly traces: boolean;
  /** Exporters of `OTEL_METRICS_EXPORTER` that are ours to set up. */
  readonly metrics: readonly ('otlp' | 'console')[];
}

/**
 * Nothing is exported unless an exporter or an OTLP endpoint is named: the SDK's own default, `otlp` to
 * localhost:4318, would have every laptop send to nobody. `OTEL_METRICS_EXPORTER=prometheus` is what /metrics does anyway.
 */
export function sdkSettings(env: Env): SdkSettings {
  if (value(env, 'OTEL_SDK_DISABLED').toLowerCase() === 'true') return { traces: false, metrics: [] };
  const traces = exporters(env, 'OTEL_TRACES_EXPORTER', 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT');
  const metrics = exporters(env, 'OTEL_METRICS_EXPORTER', 'OTEL_EXPORTER_OTLP_METRICS_ENDPOINT');
  return {
    traces: traces.length > 0,
    metrics: metrics.filter((name) => name === 'otlp' || name === 'console'),
  };
}

function exporters(env: Env, exporter: string, endpoint: string): readonly string[] {
  const named = value(env, exporter)
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  if (named.includes('none')) return [];
  if (named.length > 0) return named;
  const sends = value(env, 'OTEL_EXPORTER_OTLP_ENDPOINT') !== '' || value(env, endpoint) !== '';
  return sends ? ['otlp'] : [];
}

function value(env: Env, name: string): string {
  return env[name]?.trim() ?? '';
}
