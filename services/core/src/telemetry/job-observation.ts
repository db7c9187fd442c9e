/** Work that a request has queued: its span and its attempts, in the process that does it. */
import type {
  AttemptObservation,
  AttemptStart,
  JobStart,
  RequestEnd,
  RequestObservation,
  RouteInfo,
} from './observation.ts';
import { type AttemptOwner, formatTraceparent, ObservedAttempt, type Recorder } from './request-observation.ts';
import type { RequestSpans } from './spans.ts';
import { parseTraceparent } from './trace-context.ts';

export class ObservedJob implements RequestObservation, AttemptOwner {
  readonly traceId: string = '';
  readonly spanId: string = '';
  readonly traceparent: string = '';
  readonly tracestate: string = '';
  readonly recorder: Recorder;
  readonly spans: RequestSpans | null = null;
  route: RouteInfo | null = null;
  inAttemptsMs = 0;
  #lastAttempt: ObservedAttempt | null = null;
  #ended = false;

  constructor(recorder: Recorder, start: JobStart) {
    this.recorder = recorder;
    const request = start.traceparent === '' ? null : parseTraceparent(start.traceparent);
    const { tracer } = recorder;
    if (tracer !== null) {
      const span = tracer.startConsumerSpan(start, request);
      const context = span.spanContext();
      this.traceId = context.traceId;
      this.spanId = context.spanId;
      this.traceparent = formatTraceparent(context);
      if (span.isRecording()) this.spans = tracer.spansOf(span);
    } else if (request !== null) {
      this.traceId = request.traceId;
      this.spanId = request.spanId;
      this.traceparent = start.traceparent;
      this.tracestate = start.tracestate;
    }
  }

  /** The route is the request's to show. */
  routed(route: RouteInfo): void {
    this.route ??= route;
  }

  attempt(start: AttemptStart): AttemptObservation {
    this.#lastAttempt = new ObservedAttempt(this, start);
    return this.#lastAttempt;
  }

  answered(): void {}

  ended(end: RequestEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#lastAttempt?.abandon(end);
    this.spans?.endedJob(end);
  }
}
