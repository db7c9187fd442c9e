/** The set-up of telemetry in a process, and the way in for requests. */

import { ObservedJob } from './job-observation.ts';
import { createLogger, type Logger } from './logger.ts';
import { Metrics } from './metrics.ts';
import { semconvProfile } from './names.ts';
import type { JobStart, RequestObservation, RequestStart } from './observation.ts';
import { addProcessMetrics } from './process-metrics.ts';
import { RequestMetrics } from './request-metrics.ts';
import { ObservedRequest, type Recorder } from './request-observation.ts';
import type { Sdk } from './sdk.ts';
import { type Env, sdkSettings } from './sdk-settings.ts';

/** An unreachable collector must not hold up the end of a process. */
const SHUTDOWN_MS = 5_000;

export interface TelemetryOptions {
  /** `ingress`, `control`, ...: in the log, and as `service.name` `headgate-ingress` unless OTEL_SERVICE_NAME is set. */
  readonly service: string;
  readonly version: string;
  /** Default `process.env`. What the SDK's exporters and samplers read themselves they always read there. */
  readonly env?: Env;
  /** Default: a new one on standard output. */
  readonly logger?: Logger;
  /** How long `shutdown` waits for the collector; default 5,000. */
  readonly shutdownMs?: number;
}

export interface Telemetry {
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Whether traces are exported. */
  readonly tracing: boolean;
  observe(start: RequestStart): RequestObservation;
  /** Attempts are spans and count as those of a request; of the job itself nothing but a span is recorded. */
  observeJob(start: JobStart): RequestObservation;
  /** Sends what is still held, writes the log; resolves within `shutdownMs`, never rejects. */
  shutdown(): Promise<void>;
}

/** Never rejects: with a telemetry configuration that cannot work the service runs, and the log says why. */
export async function startTelemetry(options: TelemetryOptions): Promise<Telemetry> {
  const { service, version } = options;
  const env = options.env ?? process.env;
  const logger = options.logger ?? createLogger({ service });
  const metrics = new Metrics({ profile: semconvProfile(env) });
  const stopMeasuring = addProcessMetrics(metrics, service, version);
  const sdk = await loadSdk(service, version, env, metrics, logger);
  const recorder: Recorder = {
    metrics: new RequestMetrics(metrics),
    accessLog: env.HEADGATE_ACCESS_LOG?.trim().toLowerCase() === 'off' ? null : logger,
    tracer: sdk?.tracer ?? null,
  };
  const stop = async (): Promise<void> => {
    await flushSdk(sdk, options.shutdownMs ?? SHUTDOWN_MS, logger);
    stopMeasuring();
    await logger.flush();
  };
  return new RunningTelemetry(logger, metrics, recorder, stop);
}

async function loadSdk(
  service: string,
  version: string,
  env: Env,
  metrics: Metrics,
  logger: Logger,
): Promise<Sdk | null> {
  try {
    const settings = sdkSettings(env);
    if (!settings.traces && settings.metrics.length === 0) return null;
    const { startSdk } = await import('./sdk.ts');
    return await startSdk(settings, service, version, env, metrics, logger);
  } catch (error) {
    logger.error('OpenTelemetry did not start, nothing is exported; check the OTEL_* variables', { error });
    return null;
  }
}

class RunningTelemetry implements Telemetry {
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly tracing: boolean;
  readonly #recorder: Recorder;
  readonly #stop: () => Promise<void>;
  #stopped: Promise<void> | null = null;

  constructor(logger: Logger, metrics: Metrics, recorder: Recorder, stop: () => Promise<void>) {
    this.logger = logger;
    this.metrics = metrics;
    this.tracing = recorder.tracer !== null;
    this.#recorder = recorder;
    this.#stop = stop;
  }

  observe(start: RequestStart): RequestObservation {
    return new ObservedRequest(this.#recorder, start);
  }

  observeJob(start: JobStart): RequestObservation {
    return new ObservedJob(this.#recorder, start);
  }

  shutdown(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }
}

async function flushSdk(sdk: Sdk | null, ms: number, logger: Logger): Promise<void> {
  if (sdk === null) return;
  try {
    await within(ms, sdk.shutdown());
  } catch (error) {
    logger.warn('telemetry could not be flushed, what was not sent yet is lost', { error });
  }
}

async function within(ms: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${ms} ms`)), ms);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
