/**
 * The spans of a request: HTTP SERVER -> INTERNAL `route` -> one CLIENT span an attempt. Loaded only when traces are
 * exported. Parents are explicit contexts: no AsyncLocalStorage on the request path (PERFORMANCE 8).
 * Content is never recorded.
 */
import {
  type Attributes,
  type Context,
  createTraceState,
  type HrTime,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { ATTR, genAiProviderName, SPAN_ROUTE } from './names.ts';
import type { AttemptEnd, AttemptStart, JobStart, RequestEnd, RequestStart, RouteInfo } from './observation.ts';
import { callerAttributes, requestAttributes } from './request-attributes.ts';
import type { TraceParent } from './trace-context.ts';

/** Clock corrections smaller than this are left alone: times of one trace agree to the microsecond that way. */
const DRIFT_MS = 5;
/** Origins whose parts are remembered. */
const KEPT_ORIGINS = 1000;

export class RequestTracer {
  readonly #tracer: Tracer;
  readonly #origins = new Map<string, Attributes>();
  /** What turns `performance.now()` into Unix time. */
  #epoch = performance.timeOrigin;

  constructor(tracer: Tracer) {
    this.#tracer = tracer;
  }

  /** The sampler decides here, before any attribute is built: ask `isRecording()`. */
  startServerSpan(start: RequestStart, parent: TraceParent | null): Span {
    const context = parent === null ? ROOT_CONTEXT : remoteContext(parent, start.tracestate);
    const epoch = this.#epochNow();
    const options = { kind: SpanKind.SERVER, startTime: hrTime(epoch + start.startedAt) };
    const span = this.#tracer.startSpan(`${start.method} ${start.route}`, options, context);
    if (span.isRecording()) {
      span.setAttributes({
        [ATTR.httpMethod]: start.method,
        [ATTR.httpRoute]: start.route,
        [ATTR.urlPath]: start.path ?? start.route,
        [ATTR.urlScheme]: start.scheme ?? 'http',
        [ATTR.requestId]: start.requestId,
      });
      if (start.generationId !== null) span.setAttribute(ATTR.generationId, start.generationId);
    }
    return span;
  }

  /** A trace of its own, linked to the request that queued the job. */
  startConsumerSpan(start: JobStart, request: TraceParent | null): Span {
    const context = request === null ? null : trace.getSpanContext(remoteContext(request, start.tracestate));
    const options = {
      kind: SpanKind.CONSUMER,
      startTime: hrTime(this.#epochNow() + start.startedAt),
      links: context ? [{ context }] : [],
    };
    const span = this.#tracer.startSpan(`process ${start.queue}`, options, ROOT_CONTEXT);
    if (span.isRecording()) {
      span.setAttributes({
        [ATTR.messagingSystem]: 'bullmq',
        [ATTR.messagingOperation]: 'process',
        [ATTR.messagingDestination]: start.queue,
        [ATTR.messagingMessageId]: start.jobId,
        [ATTR.generationId]: start.generationId,
      });
    }
    return span;
  }

  /** The further spans of a request whose server span is recorded. */
  spansOf(server: Span): RequestSpans {
    return new RequestSpans(this, server, this.#epoch);
  }

  child(name: string, kind: SpanKind, attributes: Attributes, startTime: HrTime, parent: Context): Span {
    return this.#tracer.startSpan(name, { kind, attributes, startTime }, parent);
  }

  /** `server.address` and `server.port` of an origin such as `https://api.example.com`. */
  serverOf(origin: string): Attributes {
    const known = this.#origins.get(origin);
    if (known !== undefined) return known;
    const attributes: Attributes = {};
    if (URL.canParse(origin)) {
      const { hostname, port, protocol } = new URL(origin);
      attributes[ATTR.serverAddress] = hostname;
      attributes[ATTR.serverPort] = port === '' ? (protocol === 'http:' ? 80 : 443) : Number(port);
    }
    if (this.#origins.size < KEPT_ORIGINS) this.#origins.set(origin, attributes);
    return attributes;
  }

  #epochNow(): number {
    const epoch = Date.now() - performance.now();
    if (Math.abs(epoch - this.#epoch) > DRIFT_MS) this.#epoch = epoch;
    return this.#epoch;
  }
}

/** The spans of one sampled request. */
export class RequestSpans {
  readonly #tracer: RequestTracer;
  readonly #server: Span;
  readonly #epoch: number;
  readonly #context: Context;
  #route: Span | null = null;
  #routeContext: Context;

  constructor(tracer: RequestTracer, server: Span, epoch: number) {
    this.#tracer = tracer;
    this.#server = server;
    this.#epoch = epoch;
    this.#context = trace.setSpan(ROOT_CONTEXT, server);
    this.#routeContext = this.#context;
  }

  routed(route: RouteInfo): void {
    const attributes: Attributes = {
      [ATTR.gatewayOperation]: route.operation,
      [ATTR.gatewayRequestModel]: route.model,
      [ATTR.stream]: route.stream,
      [ATTR.plan]: [...route.plan],
    };
    callerAttributes(attributes, route);
    this.#route = this.#tracer.child(
      SPAN_ROUTE,
      SpanKind.INTERNAL,
      attributes,
      this.#time(performance.now()),
      this.#context,
    );
    this.#routeContext = trace.setSpan(this.#context, this.#route);
  }

  attempt(start: AttemptStart, route: RouteInfo | null, startedAt: number): Span {
    const operation = route?.operation ?? 'chat';
    const attributes: Attributes = {
      [ATTR.operation]: operation,
      [ATTR.provider]: genAiProviderName(start.provider, start.dialect),
      [ATTR.requestModel]: start.model,
      ...this.#tracer.serverOf(start.origin),
      [ATTR.attemptNumber]: start.number,
      [ATTR.gatewayProvider]: start.provider,
      [ATTR.providerModel]: start.providerModel,
      [ATTR.dialect]: start.dialect,
    };
    if (route !== null) requestAttributes(attributes, route, start.dialect);
    const name = `${operation} ${start.model}`;
    return this.#tracer.child(name, SpanKind.CLIENT, attributes, this.#time(startedAt), this.#routeContext);
  }

  endAttempt(span: Span, end: AttemptEnd, startedAt: number): void {
    const attributes: Attributes = {};
    if (end.status !== null) attributes[ATTR.httpStatus] = end.status;
    if (end.responseId !== null) attributes[ATTR.responseId] = end.responseId;
    if (end.responseModel !== null) attributes[ATTR.responseModel] = end.responseModel;
    if (end.finishReasons.length > 0) attributes[ATTR.responseFinishReasons] = [...end.finishReasons];
    if (end.firstChunkAt !== null) attributes[ATTR.responseTimeToFirstChunk] = (end.firstChunkAt - startedAt) / 1000;
    const usage = end.usage;
    if (usage !== null) {
      attributes[ATTR.usageInput] = usage.promptTokens;
      attributes[ATTR.usageOutput] = usage.completionTokens;
      if (usage.cacheReadTokens !== null) attributes[ATTR.usageCacheRead] = usage.cacheReadTokens;
      if (usage.cacheWriteTokens !== null) attributes[ATTR.usageCacheWrite] = usage.cacheWriteTokens;
      if (usage.reasoningTokens !== null) attributes[ATTR.usageReasoning] = usage.reasoningTokens;
    }
    span.setAttributes(attributes);
    fail(span, end.errorType);
    span.end(this.#time(end.endedAt));
  }

  ended(end: RequestEnd): void {
    if (this.#route !== null) {
      const attributes: Attributes = { [ATTR.attempts]: end.attempts };
      if (end.provider !== null) attributes[ATTR.gatewayProvider] = end.provider;
      if (end.model !== null) attributes[ATTR.gatewayResponseModel] = end.model;
      if (end.resumed === true) attributes[ATTR.resumed] = true;
      this.#route.setAttributes(attributes);
      fail(this.#route, end.errorType);
      this.#route.end(this.#time(end.endedAt));
    }
    this.#server.setAttribute(ATTR.httpStatus, end.status);
    if (end.keyName !== null) this.#server.setAttribute(ATTR.keyName, end.keyName);
    if (end.clientAborted) this.#server.setAttribute(ATTR.clientAborted, true);
    if (end.errorType !== null) this.#server.setAttribute(ATTR.errorType, end.errorType);
    else if (end.status >= 500) this.#server.setAttribute(ATTR.errorType, String(end.status));
    // HTTP conventions: a 4xx is the client's error, not this server's; a stream that broke after its 200 is ours.
    if (end.status >= 500 || (end.errorType !== null && end.status < 400 && !end.clientAborted)) {
      this.#server.setStatus({ code: SpanStatusCode.ERROR });
    }
    this.#server.end(this.#time(end.endedAt));
  }

  endedJob(end: RequestEnd): void {
    this.#server.setAttribute(ATTR.attempts, end.attempts);
    if (end.provider !== null) this.#server.setAttribute(ATTR.gatewayProvider, end.provider);
    fail(this.#server, end.errorType);
    this.#server.end(this.#time(end.endedAt));
  }

  #time(at: number): HrTime {
    return hrTime(this.#epoch + at);
  }
}

function hrTime(unixMs: number): HrTime {
  const seconds = Math.floor(unixMs / 1000);
  return [seconds, Math.round((unixMs - seconds * 1000) * 1e6)];
}

function fail(span: Span, errorType: string | null): void {
  if (errorType === null) return;
  span.setAttribute(ATTR.errorType, errorType);
  span.setStatus({ code: SpanStatusCode.ERROR });
}

function remoteContext(parent: TraceParent, tracestate: string): Context {
  return trace.setSpanContext(ROOT_CONTEXT, {
    traceId: parent.traceId,
    spanId: parent.spanId,
    traceFlags: parent.sampled ? TraceFlags.SAMPLED : TraceFlags.NONE,
    isRemote: true,
    ...(tracestate === '' ? {} : { traceState: createTraceState(tracestate) }),
  });
}
