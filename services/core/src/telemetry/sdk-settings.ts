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
 * @throws Error that names the variable, for an endpoint that is no URL
 */
export function sdkSettings(env: Env): SdkSettings {
  if (value(env, 'OTEL_SDK_DISABLED').toLowerCase() === 'true') return { traces: false, metrics: [] };
  checkEndpoint(env, 'OTEL_EXPORTER_OTLP_ENDPOINT', '');
  checkEndpoint(env, 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', 'OTEL_EXPORTER_OTLP_TRACES_PROTOCOL');
  checkEndpoint(env, 'OTEL_EXPORTER_OTLP_METRICS_ENDPOINT', 'OTEL_EXPORTER_OTLP_METRICS_PROTOCOL');
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

/** The SDK would silently send to localhost instead. The value stays out of the message: it may hold credentials. */
function checkEndpoint(env: Env, variable: string, protocolVariable: string): void {
  const endpoint = value(env, variable);
  const protocol = value(env, protocolVariable) || value(env, 'OTEL_EXPORTER_OTLP_PROTOCOL');
  if (endpoint === '' || protocol === 'grpc') return;
  if (!URL.canParse(endpoint) || !/^https?:$/.test(new URL(endpoint).protocol)) {
    throw new Error(`${variable} must be a URL such as http://collector:4318`);
  }
}

function value(env: Env, name: string): string {
  return env[name]?.trim() ?? '';
}
