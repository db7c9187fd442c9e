/**
 * A collector for tests: takes OTLP/HTTP on a real socket and keeps what arrives. JSON is read; protobuf is kept as bytes.
 * Format: https://github.com/open-telemetry/opentelemetry-proto, JSON mapping in docs/specification.md.
 */
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { gunzipSync } from 'node:zlib';

export type OtlpValue = string | number | boolean | null | readonly OtlpValue[];
export type OtlpAttributes = Readonly<Record<string, OtlpValue>>;

export const OTLP_KIND = { internal: 1, server: 2, client: 3, producer: 4, consumer: 5 } as const;

export interface OtlpSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty for a root. */
  readonly parentSpanId: string;
  readonly traceState: string;
  readonly name: string;
  /** As in `OTLP_KIND`. */
  readonly kind: number;
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly attributes: OtlpAttributes;
  /** 0 unset, 1 ok, 2 error. */
  readonly status: number;
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly events: readonly string[];
  readonly resource: OtlpAttributes;
}

export interface OtlpPoint {
  readonly metric: string;
  readonly unit: string;
  readonly type: 'sum' | 'gauge' | 'histogram';
  readonly attributes: OtlpAttributes;
  /** Sums and gauges: the value. Histograms: the sum of what was recorded. */
  readonly value: number;
  /** Histograms only. */
  readonly count: number;
  readonly bucketCounts: readonly number[];
  readonly bounds: readonly number[];
  /** 1 delta, 2 cumulative; 0 for gauges. */
  readonly temporality: number;
  readonly resource: OtlpAttributes;
}

export interface OtlpRequest {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** Decompressed. */
  readonly body: Buffer;
}

export async function startOtlpReceiver(): Promise<OtlpReceiver> {
  const receiver = new OtlpReceiver();
  await receiver.listen();
  return receiver;
}

export class OtlpReceiver {
  readonly requests: OtlpRequest[] = [];
  readonly spans: OtlpSpan[] = [];
  /** Every point of every export, in order: with cumulative temporality the last of a series counts. */
  readonly points: OtlpPoint[] = [];
  readonly #server: Server;
  #url = '';
  #waiting: (() => void)[] = [];

  constructor() {
    this.#server = createServer((request, response) => {
      const pieces: Buffer[] = [];
      request.on('data', (piece: Buffer) => pieces.push(piece));
      request.on('end', () => {
        const whole = Buffer.concat(pieces);
        const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(whole) : whole;
        const json = (request.headers['content-type'] ?? '').startsWith('application/json');
        response.writeHead(200, { 'content-type': json ? 'application/json' : 'application/x-protobuf' });
        response.end(json ? '{}' : '');
        this.#take({ path: request.url ?? '', headers: request.headers, body }, json);
      });
    });
  }

  /** For `OTEL_EXPORTER_OTLP_ENDPOINT`. */
  get url(): string {
    return this.#url;
  }

  /** Variables that make a process send JSON here, soon. */
  get env(): Record<string, string> {
    return {
      OTEL_EXPORTER_OTLP_ENDPOINT: this.#url,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_BSP_SCHEDULE_DELAY: '50',
      OTEL_METRIC_EXPORT_INTERVAL: '200',
    };
  }

  async listen(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the receiver has no port');
    this.#url = `http://127.0.0.1:${address.port}`;
  }

  spansOf(traceId: string): readonly OtlpSpan[] {
    return this.spans.filter((span) => span.traceId === traceId);
  }

  /** The latest point of each series of a metric. */
  latest(metric: string): readonly OtlpPoint[] {
    const bySeries = new Map<string, OtlpPoint>();
    for (const point of this.points) {
      if (point.metric !== metric) continue;
      bySeries.set(JSON.stringify([point.resource['service.instance.id'], point.attributes]), point);
    }
    return [...bySeries.values()];
  }

  /** Resolves once the condition holds, looked at after each export; rejects with what did arrive after the time. */
  async waitFor(what: string, condition: (receiver: OtlpReceiver) => boolean, timeoutMs = 10_000): Promise<void> {
    const end = performance.now() + timeoutMs;
    while (!condition(this)) {
      const left = end - performance.now();
      if (left <= 0 || !(await this.#nextExport(left))) {
        const names = this.spans.map((span) => span.name).join(', ');
        throw new Error(`no ${what} within ${timeoutMs} ms; ${this.requests.length} exports, spans: ${names}`);
      }
    }
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #nextExport(withinMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), withinMs);
      this.#waiting.push(() => {
        clearTimeout(timer);
        resolve(true);
      });
    });
  }

  #take(request: OtlpRequest, json: boolean): void {
    this.requests.push(request);
    if (json) {
      const message = object(JSON.parse(request.body.toString('utf8')));
      for (const one of list(message.resourceSpans)) this.spans.push(...readSpans(object(one)));
      for (const one of list(message.resourceMetrics)) this.points.push(...readPoints(object(one)));
    }
    for (const wake of this.#waiting.splice(0)) wake();
  }
}

type Json = Readonly<Record<string, unknown>>;

function readSpans(resourceSpans: Json): OtlpSpan[] {
  const resource = readAttributes(object(resourceSpans.resource).attributes);
  const scopes = list(resourceSpans.scopeSpans).map(object);
  return scopes.flatMap((scope) =>
    list(scope.spans)
      .map(object)
      .map((span) => ({
        traceId: text(span.traceId),
        spanId: text(span.spanId),
        parentSpanId: text(span.parentSpanId),
        traceState: text(span.traceState),
        name: text(span.name),
        kind: Number(span.kind),
        startNs: BigInt(text(span.startTimeUnixNano)),
        endNs: BigInt(text(span.endTimeUnixNano)),
        attributes: readAttributes(span.attributes),
        status: Number(object(span.status).code ?? 0),
        links: list(span.links)
          .map(object)
          .map((link) => ({ traceId: text(link.traceId), spanId: text(link.spanId) })),
        events: list(span.events).map((event) => text(object(event).name)),
        resource,
      })),
  );
}

function readPoints(resourceMetrics: Json): OtlpPoint[] {
  const resource = readAttributes(object(resourceMetrics.resource).attributes);
  const scopes = list(resourceMetrics.scopeMetrics).map(object);
  const metrics = scopes.flatMap((scope) => list(scope.metrics).map(object));
  return metrics.flatMap((metric) =>
    (['sum', 'gauge', 'histogram'] as const).flatMap((type) => {
      const data = object(metric[type]);
      return list(data.dataPoints)
        .map(object)
        .map((point) => ({
          metric: text(metric.name),
          unit: text(metric.unit),
          type,
          attributes: readAttributes(point.attributes),
          value: Number(point.asDouble ?? point.asInt ?? point.sum ?? 0),
          count: Number(point.count ?? 0),
          bucketCounts: list(point.bucketCounts).map(Number),
          bounds: list(point.explicitBounds).map(Number),
          temporality: Number(data.aggregationTemporality ?? 0),
          resource,
        }));
    }),
  );
}

function readAttributes(attributes: unknown): OtlpAttributes {
  const entries = list(attributes).map(object);
  return Object.fromEntries(entries.map((entry) => [text(entry.key), readValue(object(entry.value))]));
}

function readValue(value: Json): OtlpValue {
  if (typeof value.stringValue === 'string') return value.stringValue;
  if (typeof value.boolValue === 'boolean') return value.boolValue;
  if (value.intValue !== undefined) return Number(value.intValue);
  if (value.doubleValue !== undefined) return Number(value.doubleValue);
  if (value.arrayValue !== undefined) return list(object(value.arrayValue).values).map((one) => readValue(object(one)));
  return null;
}

function object(value: unknown): Json {
  return typeof value === 'object' && value !== null ? (value as Json) : {};
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function text(value: unknown): string {
  return value === undefined || value === null ? '' : String(value);
}
