/** The OpenTelemetry NodeSDK; this module and all it imports are loaded only when something is exported. */
import {
  type Context,
  type ContextManager,
  type DiagLogger,
  DiagLogLevel,
  diag,
  ROOT_CONTEXT,
  trace,
} from '@opentelemetry/api';
import {
  defaultResource,
  envDetector,
  hostDetector,
  resourceFromAttributes,
  serviceInstanceIdDetector,
} from '@opentelemetry/resources';
import { NodeSDK } from '@opentelemetry/sdk-node';
import type { Logger } from './logger.ts';
import type { Metrics } from './metrics.ts';
import { SCOPE } from './names.ts';
import { metricReader } from './otlp-metrics.ts';
import type { Env, SdkSettings } from './sdk-settings.ts';
import { RequestTracer } from './spans.ts';

/**
 * The SDK sends one batch at a time, 512 spans of a queue of 2,048 by default: at 50 ms to the collector 10 k spans a
 * second, and the rest is dropped silently (PERFORMANCE 8). Not larger batches than these, because one is serialised in
 * one go on the thread that serves: about 10 us a span.
 */
const BATCH_DEFAULTS = {
  OTEL_BSP_MAX_QUEUE_SIZE: '32768',
  OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '1024',
  OTEL_BSP_SCHEDULE_DELAY: '2000',
} as const;

/** One line a minute for the same complaint: an unreachable collector is one every few seconds. */
const REPEAT_MS = 60_000;

export interface Sdk {
  readonly tracer: RequestTracer | null;
  shutdown(): Promise<void>;
}

export async function startSdk(
  settings: SdkSettings,
  service: string,
  version: string,
  env: Env,
  metrics: Metrics,
  logger: Logger,
): Promise<Sdk> {
  const metricReaders = await Promise.all(
    settings.metrics.map((exporter) => metricReader(exporter, metrics, version, env)),
  );
  const sdk = withBatchDefaults(() => {
    const started = new NodeSDK({
      // OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win over these: detected attributes are merged on top.
      resource: defaultResource().merge(
        resourceFromAttributes({
          'service.name': `headgate-${service}`,
          'service.version': version,
          'process.pid': process.pid,
        }),
      ),
      // Not the process detector: it reports the command line.
      ...(env.OTEL_NODE_RESOURCE_DETECTORS === undefined
        ? { resourceDetectors: [envDetector, hostDetector, serviceInstanceIdDetector] }
        : {}),
      metricReaders,
      logRecordProcessors: [],
      instrumentations: [],
      // Parents are passed explicitly and headers read by hand: the hot path pays for neither.
      contextManager: new RootContextManager(),
      textMapPropagator: null,
      ...(settings.traces ? {} : { spanProcessors: [] }),
    });
    // The constructor sets a logger that writes no JSON; ours replaces it.
    diag.setLogger(new DiagToLog(logger), { logLevel: diagLevel(env), suppressOverrideMessage: true });
    started.start();
    return started;
  });
  return {
    tracer: settings.traces ? new RequestTracer(trace.getTracer(SCOPE, version)) : null,
    shutdown: () => sdk.shutdown(),
  };
}

/** The SDK takes the batch sizes from the process's environment only; ours stand there while it starts. */
function withBatchDefaults<T>(start: () => T): T {
  const ours = Object.entries(BATCH_DEFAULTS).filter(([name]) => (process.env[name] ?? '') === '');
  for (const [name, value] of ours) process.env[name] = value;
  try {
    return start();
  } finally {
    for (const [name] of ours) delete process.env[name];
  }
}

/** Knows no current span: in place of the SDK's own, which would switch AsyncLocalStorage on for the whole process. */
class RootContextManager implements ContextManager {
  active(): Context {
    return ROOT_CONTEXT;
  }

  with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(
    _context: Context,
    fn: F,
    thisArg?: ThisParameterType<F>,
    ...args: A
  ): ReturnType<F> {
    return fn.apply(thisArg, args);
  }

  bind<T>(_context: Context, target: T): T {
    return target;
  }

  enable(): this {
    return this;
  }

  disable(): this {
    return this;
  }
}

class DiagToLog implements DiagLogger {
  readonly #logger: Logger;
  readonly #last = new Map<string, number>();

  constructor(logger: Logger) {
    this.#logger = logger.child({ component: 'opentelemetry' });
  }

  error(message: string, ...details: unknown[]): void {
    this.#log('error', message, details);
  }

  warn(message: string, ...details: unknown[]): void {
    this.#log('warn', message, details);
  }

  info(message: string, ...details: unknown[]): void {
    this.#log('info', message, details);
  }

  debug(message: string, ...details: unknown[]): void {
    this.#log('debug', message, details);
  }

  verbose(message: string, ...details: unknown[]): void {
    this.#log('debug', message, details);
  }

  #log(level: 'debug' | 'info' | 'warn' | 'error', message: string, details: readonly unknown[]): void {
    const text = summary(message);
    const now = performance.now();
    const last = this.#last.get(text);
    if (last !== undefined && now - last < REPEAT_MS) return;
    if (this.#last.size > 100) this.#last.clear();
    this.#last.set(text, now);
    this.#logger[level](text, details.length === 0 ? undefined : { details });
  }
}

/** The SDK's error handler gives errors as JSON text with a stack; the message says enough. */
function summary(message: string): string {
  if (!message.startsWith('{')) return message;
  try {
    const parsed: unknown = JSON.parse(message);
    if (typeof parsed === 'object' && parsed !== null && 'message' in parsed) return String(parsed.message);
  } catch {
    // Not JSON after all.
  }
  return message;
}

function diagLevel(env: Env): DiagLogLevel {
  switch (env.OTEL_LOG_LEVEL?.trim().toLowerCase()) {
    case 'none':
      return DiagLogLevel.NONE;
    case 'error':
      return DiagLogLevel.ERROR;
    case 'info':
      return DiagLogLevel.INFO;
    case 'debug':
      return DiagLogLevel.DEBUG;
    case 'verbose':
    case 'all':
      return DiagLogLevel.ALL;
    default:
      return DiagLogLevel.WARN;
  }
}
