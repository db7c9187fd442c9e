/**
 * A process of its own for the tests, because the SDK reads its variables and registers itself per process: starts
 * telemetry, plays the requests given as JSON in argv, and says in one JSON line on fd 3 what callers saw.
 */
import { writeSync } from 'node:fs';
import { registerHooks } from 'node:module';
import type { RouteInfo, TokenUsage } from './observation.ts';

export interface PlayedAttempt {
  readonly provider: string;
  readonly dialect: string;
  readonly origin: string;
  /** Absent: nobody ends it. */
  readonly errorType?: string | null;
  readonly usage?: TokenUsage;
}

export interface PlayedRequest {
  readonly traceparent?: string;
  readonly tracestate?: string;
  readonly route?: RouteInfo;
  readonly attempts: readonly PlayedAttempt[];
  readonly status: number;
  readonly errorType?: string;
  readonly clientAborted?: boolean;
  readonly resumed?: boolean;
}

export interface Played {
  /** Modules below node_modules/@opentelemetry that were loaded. */
  readonly openTelemetryModules: number;
  readonly tracing: boolean;
  readonly requests: readonly {
    readonly traceId: string;
    readonly spanId: string;
    readonly attempts: readonly { readonly traceparent: string; readonly tracestate: string }[];
  }[];
  readonly prometheus: string;
  readonly shutdownMs: number;
}

let openTelemetryModules = 0;
registerHooks({
  load: (url, context, next) => {
    if (url.includes('/@opentelemetry/')) openTelemetryModules++;
    return next(url, context);
  },
});

const { startTelemetry } = await import('./telemetry.ts');
const telemetry = await startTelemetry({
  service: 'ingress',
  version: '9.8.7',
  shutdownMs: Number(process.env.PLAY_SHUTDOWN_MS ?? 5_000),
});
const played = (JSON.parse(process.argv[2] ?? '[]') as PlayedRequest[]).map(play);
const prometheus = telemetry.metrics.renderPrometheus();
const before = performance.now();
await telemetry.shutdown();
const answer: Played = {
  openTelemetryModules,
  tracing: telemetry.tracing,
  requests: played,
  prometheus,
  shutdownMs: performance.now() - before,
};
writeSync(3, `${JSON.stringify(answer)}\n`);
// A collector that never answers holds its sockets open; the service would exit here too.
process.exit(0);

function play(request: PlayedRequest, index: number): Played['requests'][number] {
  const startedAt = performance.now();
  const observation = telemetry.observe({
    method: 'POST',
    route: '/v1/chat/completions',
    requestId: `req_${index}`,
    generationId: `gen_${index}`,
    traceparent: request.traceparent ?? '',
    tracestate: request.tracestate ?? '',
    startedAt,
  });
  if (request.route !== undefined) observation.routed(request.route);
  let usage: TokenUsage | null = null;
  const attempts = request.attempts.map((one, number) => {
    const attempt = observation.attempt({
      number: number + 1,
      provider: one.provider,
      dialect: one.dialect,
      providerModel: 'their-model',
      model: request.route?.model ?? '',
      origin: one.origin,
    });
    if (one.errorType !== undefined) {
      const failed = one.errorType !== null;
      usage = one.usage ?? usage;
      attempt.ended({
        endedAt: performance.now(),
        status: failed ? 503 : 200,
        errorType: one.errorType,
        firstChunkAt: failed ? null : performance.now(),
        usage: one.usage ?? null,
        responseId: failed ? null : 'chatcmpl-1',
        responseModel: failed ? null : 'their-model-2025',
        finishReasons: failed ? [] : ['stop'],
      });
    }
    return { traceparent: attempt.traceparent, tracestate: attempt.tracestate };
  });
  observation.ended({
    endedAt: performance.now(),
    status: request.status,
    errorType: request.errorType ?? null,
    clientAborted: request.clientAborted ?? false,
    firstByteAt: request.errorType === undefined ? performance.now() : null,
    provider: request.attempts.at(-1)?.provider ?? null,
    model: request.route?.model ?? null,
    attempts: request.attempts.length,
    resumed: request.resumed ?? false,
    usage,
    costUsd: usage === null ? null : '0.000123',
    keyName: request.route?.keyName ?? null,
  });
  return { traceId: observation.traceId, spanId: observation.spanId, attempts };
}
