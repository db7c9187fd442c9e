/** What a request adds to the metrics. Series are looked up once per route and per model and kept. */
import { KeyMetrics } from './key-metrics.ts';
import type { CounterSeries, Family, HistogramSeries, Metrics } from './metrics.ts';
import { genAiProviderName, METRIC } from './names.ts';
import type {
  AttemptEnd,
  AttemptStart,
  RequestEnd,
  RequestStart,
  RouteInfo,
  TokenUsage,
  UsageSource,
} from './observation.ts';

/** Combinations whose series are kept at hand; beyond, the families' own limits decide. */
const KEPT = 2000;

export class RequestMetrics {
  inFlight = 0;
  openStreams = 0;
  readonly #requests: Family<CounterSeries>;
  readonly #httpDuration: Family<HistogramSeries>;
  readonly #aborts: Family<CounterSeries>;
  readonly #attempts: Family<CounterSeries>;
  readonly #resumed: Family<CounterSeries>;
  readonly #lateUsage: Family<CounterSeries>;
  readonly #tokens: Family<CounterSeries>;
  readonly #keys: KeyMetrics;
  readonly #overhead: Family<HistogramSeries>;
  readonly #clientTokens: Family<HistogramSeries>;
  readonly #clientDuration: Family<HistogramSeries>;
  readonly #clientFirstChunk: Family<HistogramSeries>;
  readonly #serverDuration: Family<HistogramSeries>;
  readonly #serverFirstToken: Family<HistogramSeries>;
  readonly #serverPerToken: Family<HistogramSeries>;
  /** method -> route -> status */
  readonly #routes = new Map<string, Map<string, Map<number, RouteSeries>>>();
  /** operation -> provider -> public model */
  readonly #models = new Map<string, Map<string, Map<string, ModelSeries>>>();
  #kept = 0;

  constructor(metrics: Metrics) {
    this.#requests = metrics.counter(METRIC.requests);
    this.#httpDuration = metrics.histogram(METRIC.httpDuration);
    this.#aborts = metrics.counter(METRIC.clientAborts);
    this.#attempts = metrics.counter(METRIC.attempts);
    this.#resumed = metrics.counter(METRIC.resumedStreams);
    this.#lateUsage = metrics.counter(METRIC.lateUsage);
    this.#tokens = metrics.counter(METRIC.tokens);
    this.#keys = new KeyMetrics(metrics);
    this.#overhead = metrics.histogram(METRIC.overhead);
    this.#clientTokens = metrics.histogram(METRIC.clientTokens);
    this.#clientDuration = metrics.histogram(METRIC.clientDuration);
    this.#clientFirstChunk = metrics.histogram(METRIC.clientFirstChunk);
    this.#serverDuration = metrics.histogram(METRIC.serverDuration);
    this.#serverFirstToken = metrics.histogram(METRIC.serverFirstToken);
    this.#serverPerToken = metrics.histogram(METRIC.serverPerToken);
    for (const [definition, read] of [
      [METRIC.inFlight, () => this.inFlight],
      [METRIC.openStreams, () => this.openStreams],
    ] as const) {
      metrics.gauge(definition.name, definition.help, read, { unit: definition.unit, across: 'sum' });
    }
  }

  attemptEnded(start: AttemptStart, end: AttemptEnd, operation: string, startedAt: number): void {
    const series = this.#model(operation, start);
    const seconds = (end.endedAt - startedAt) / 1000;
    if (end.errorType === null) {
      series.attempts ??= this.#attempts.series(start.provider, 'success');
      series.attempts.add(1);
      series.clientDuration ??= this.#clientDuration.series(operation, series.provider, start.model, '');
      series.clientDuration.record(seconds);
    } else {
      this.#attempts.series(start.provider, end.errorType).add(1);
      this.#clientDuration.series(operation, series.provider, start.model, end.errorType).record(seconds);
    }
    if (end.firstChunkAt !== null) {
      series.clientFirstChunk ??= this.#clientFirstChunk.series(operation, series.provider, start.model);
      series.clientFirstChunk.record((end.firstChunkAt - startedAt) / 1000);
    }
    if (end.usage !== null) this.#countTokens(series, start, end.usage, operation);
  }

  attemptUsed(start: AttemptStart, usage: TokenUsage, source: UsageSource, operation: string): void {
    this.#lateUsage.series(start.provider, source).add(1);
    this.#countTokens(this.#model(operation, start), start, usage, operation);
  }

  #countTokens(series: ModelSeries, start: AttemptStart, usage: TokenUsage, operation: string): void {
    series.tokens ??= this.#tokenSeries(operation, series.provider, start);
    const tokens = series.tokens;
    tokens.inputHistogram.record(usage.promptTokens);
    tokens.input.add(usage.promptTokens);
    if (operation !== 'embeddings') {
      tokens.outputHistogram.record(usage.completionTokens);
      tokens.output.add(usage.completionTokens);
    }
    if (usage.cacheReadTokens !== null) tokens.cacheRead.add(usage.cacheReadTokens);
    if (usage.cacheWriteTokens !== null) tokens.cacheWrite.add(usage.cacheWriteTokens);
    if (usage.reasoningTokens !== null) tokens.reasoning.add(usage.reasoningTokens);
  }

  /**
   * @param last the attempt that decided the request; null when it never reached a provider
   * @param inAttemptsMs time during which a provider call was open
   */
  requestEnded(
    start: RequestStart,
    end: RequestEnd,
    route: RouteInfo | null,
    last: AttemptStart | null,
    inAttemptsMs: number,
  ): void {
    const seconds = (end.endedAt - start.startedAt) / 1000;
    const at = this.#route(start, end.status);
    at.duration.record(seconds);
    if (end.errorType === null) at.requests.add(1);
    else this.#requests.series(start.route, String(end.status), end.errorType).add(1);
    if (end.clientAborted) this.#aborts.series(start.route).add(1);
    this.#keys.requestEnded(end);
    if (route === null || last === null) return;
    if (end.resumed === true) this.#resumed.series(last.provider).add(1);

    const series = this.#model(route.operation, last);
    series.overhead ??= this.#overhead.series(route.operation);
    series.overhead.record(Math.max(0, end.overheadMs ?? end.endedAt - start.startedAt - inAttemptsMs) / 1000);
    if (end.errorType !== null) {
      this.#serverDuration.series(route.operation, series.provider, last.model, end.errorType).record(seconds);
      return;
    }
    series.serverDuration ??= this.#serverDuration.series(route.operation, series.provider, last.model, '');
    series.serverDuration.record(seconds);
    if (!route.stream || end.firstByteAt === null) return;
    series.serverFirstToken ??= this.#serverFirstToken.series(route.operation, series.provider, last.model);
    series.serverFirstToken.record((end.firstByteAt - start.startedAt) / 1000);
    if (end.usage === null || end.usage.completionTokens < 2 || end.clientAborted) return;
    series.serverPerToken ??= this.#serverPerToken.series(route.operation, series.provider, last.model);
    series.serverPerToken.record((end.endedAt - end.firstByteAt) / 1000 / (end.usage.completionTokens - 1));
  }

  #route(start: RequestStart, status: number): RouteSeries {
    const found = this.#routes.get(start.method)?.get(start.route)?.get(status);
    if (found !== undefined) return found;
    const series: RouteSeries = {
      requests: this.#requests.series(start.route, String(status), ''),
      duration: this.#httpDuration.series(start.method, start.route, String(status)),
    };
    if (this.#keep()) child(child(this.#routes, start.method), start.route).set(status, series);
    return series;
  }

  #model(operation: string, attempt: AttemptStart): ModelSeries {
    const found = this.#models.get(operation)?.get(attempt.provider)?.get(attempt.model);
    if (found !== undefined) return found;
    const series = new ModelSeries(genAiProviderName(attempt.provider, attempt.dialect));
    if (this.#keep()) child(child(this.#models, operation), attempt.provider).set(attempt.model, series);
    return series;
  }

  #tokenSeries(operation: string, provider: string, attempt: AttemptStart): TokenSeries {
    const { model } = attempt;
    return {
      inputHistogram: this.#clientTokens.series(operation, provider, model, 'input'),
      outputHistogram: this.#clientTokens.series(operation, provider, model, 'output'),
      input: this.#tokens.series(model, attempt.provider, 'input'),
      output: this.#tokens.series(model, attempt.provider, 'output'),
      cacheRead: this.#tokens.series(model, attempt.provider, 'cache_read'),
      cacheWrite: this.#tokens.series(model, attempt.provider, 'cache_write'),
      reasoning: this.#tokens.series(model, attempt.provider, 'reasoning'),
    };
  }

  #keep(): boolean {
    if (this.#kept >= KEPT) return false;
    this.#kept++;
    return true;
  }
}

interface RouteSeries {
  readonly requests: CounterSeries;
  readonly duration: HistogramSeries;
}

interface TokenSeries {
  readonly inputHistogram: HistogramSeries;
  readonly outputHistogram: HistogramSeries;
  readonly input: CounterSeries;
  readonly output: CounterSeries;
  readonly cacheRead: CounterSeries;
  readonly cacheWrite: CounterSeries;
  readonly reasoning: CounterSeries;
}

/** Filled as it is needed, so that an embedding model shows no time to first token. */
class ModelSeries {
  readonly provider: string;
  attempts: CounterSeries | null = null;
  clientDuration: HistogramSeries | null = null;
  clientFirstChunk: HistogramSeries | null = null;
  serverDuration: HistogramSeries | null = null;
  serverFirstToken: HistogramSeries | null = null;
  serverPerToken: HistogramSeries | null = null;
  overhead: HistogramSeries | null = null;
  tokens: TokenSeries | null = null;

  constructor(provider: string) {
    this.provider = provider;
  }
}

function child<K, V>(map: Map<K, Map<string | number, V>>, key: K): Map<string | number, V> {
  let found = map.get(key);
  if (found === undefined) {
    found = new Map();
    map.set(key, found);
  }
  return found;
}
