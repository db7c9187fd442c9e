/** One request as telemetry sees it: calls in, spans, metrics and the access line out. */
import type { Span } from '@opentelemetry/api';
import { logRequest } from './access-log.ts';
import type { Logger } from './logger.ts';
import type {
  AttemptEnd,
  AttemptObservation,
  AttemptStart,
  RequestEnd,
  RequestObservation,
  RequestStart,
  RouteInfo,
  TokenUsage,
  UsageSource,
} from './observation.ts';
import type { RequestMetrics } from './request-metrics.ts';
import type { RequestSpans, RequestTracer } from './spans.ts';
import { parseTraceparent } from './trace-context.ts';

/** What all requests of a process share. */
export interface Recorder {
  readonly metrics: RequestMetrics;
  /** Null when the access log is off. */
  readonly accessLog: Logger | null;
  /** Null when no traces are exported. */
  readonly tracer: RequestTracer | null;
}

export class ObservedRequest implements RequestObservation {
  readonly traceId: string = '';
  readonly spanId: string = '';
  /** Ids to send to providers while no span of ours is recorded; empty when there is no trace. */
  readonly traceparent: string = '';
  readonly tracestate: string = '';
  readonly recorder: Recorder;
  readonly spans: RequestSpans | null = null;
  route: RouteInfo | null = null;
  inAttemptsMs = 0;
  readonly #start: RequestStart;
  #lastAttempt: ObservedAttempt | null = null;
  #answered = false;
  #ended = false;

  constructor(recorder: Recorder, start: RequestStart) {
    this.recorder = recorder;
    this.#start = start;
    recorder.metrics.inFlight++;
    const parent = start.traceparent === '' ? null : parseTraceparent(start.traceparent);
    if (parent !== null) this.tracestate = start.tracestate;
    const tracer = recorder.tracer;
    if (tracer !== null) {
      const server = tracer.startServerSpan(start, parent);
      const context = server.spanContext();
      this.traceId = context.traceId;
      this.spanId = context.spanId;
      this.traceparent = formatTraceparent(context);
      if (server.isRecording()) this.spans = tracer.spansOf(server);
    } else if (parent !== null) {
      this.traceId = parent.traceId;
      this.spanId = parent.spanId;
      this.traceparent = start.traceparent;
    }
  }

  routed(route: RouteInfo): void {
    if (this.route !== null || this.#ended) return;
    this.route = route;
    if (route.stream) this.recorder.metrics.openStreams++;
    this.spans?.routed(route);
  }

  attempt(start: AttemptStart): AttemptObservation {
    this.#lastAttempt = new ObservedAttempt(this, start);
    return this.#lastAttempt;
  }

  answered(): void {
    if (this.#answered) return;
    this.#answered = true;
    const { metrics } = this.recorder;
    metrics.inFlight--;
    if (this.route?.stream === true) metrics.openStreams--;
  }

  ended(end: RequestEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    const last = this.#lastAttempt;
    last?.abandon(end);
    const { metrics, accessLog } = this.recorder;
    this.answered();
    metrics.requestEnded(this.#start, end, this.route, last?.start ?? null, this.inAttemptsMs);
    this.spans?.ended(end);
    if (accessLog !== null) logRequest(accessLog, this.#start, end, this.route, this.traceId, this.spanId);
  }
}

/** What an attempt needs of the request, or of the job, that makes it. */
export interface AttemptOwner {
  readonly recorder: Recorder;
  readonly spans: RequestSpans | null;
  readonly route: RouteInfo | null;
  readonly traceparent: string;
  readonly tracestate: string;
  inAttemptsMs: number;
}

export class ObservedAttempt implements AttemptObservation {
  readonly traceparent: string;
  readonly tracestate: string;
  readonly start: AttemptStart;
  readonly #request: AttemptOwner;
  readonly #startedAt: number;
  readonly #span: Span | null;
  #ended = false;

  constructor(request: AttemptOwner, start: AttemptStart) {
    this.start = start;
    this.#request = request;
    this.#startedAt = performance.now();
    this.#span = request.spans?.attempt(start, request.route, this.#startedAt) ?? null;
    this.traceparent = this.#span === null ? request.traceparent : formatTraceparent(this.#span.spanContext());
    this.tracestate = request.tracestate;
  }

  ended(end: AttemptEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    const request = this.#request;
    request.inAttemptsMs += end.endedAt - this.#startedAt;
    request.recorder.metrics.attemptEnded(this.start, end, request.route?.operation ?? 'chat', this.#startedAt);
    if (this.#span !== null) request.spans?.endAttempt(this.#span, end, this.#startedAt);
  }

  used(usage: TokenUsage, source: UsageSource): void {
    const { recorder, route } = this.#request;
    recorder.metrics.attemptUsed(this.start, usage, source, route?.operation ?? 'chat');
  }

  /** The request is over and nobody ended this attempt: no span may stay open, no call uncounted. */
  abandon(end: RequestEnd): void {
    if (this.#ended) return;
    this.ended({
      endedAt: end.endedAt,
      status: null,
      errorType: end.errorType ?? (end.clientAborted ? 'client_aborted' : 'abandoned'),
      firstChunkAt: null,
      usage: null,
      responseId: null,
      responseModel: null,
      finishReasons: [],
    });
  }
}

export function formatTraceparent(context: {
  readonly traceId: string;
  readonly spanId: string;
  readonly traceFlags: number;
}): string {
  return `00-${context.traceId}-${context.spanId}-${(context.traceFlags & 1) === 1 ? '01' : '00'}`;
}
