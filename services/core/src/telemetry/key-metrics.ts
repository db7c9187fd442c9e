import type { CounterSeries, Family, Metrics } from './metrics.ts';
import { METRIC } from './names.ts';
import type { RequestEnd } from './observation.ts';

/** Combinations whose series are kept at hand. */
const KEPT = 5_000;

interface KeySeries {
  readonly input: CounterSeries;
  readonly output: CounterSeries;
  cost: CounterSeries | null;
}

/** What the requests of each key come to. */
export class KeyMetrics {
  readonly #tokens: Family<CounterSeries>;
  readonly #cost: Family<CounterSeries>;
  readonly #kept = new Map<string, KeySeries>();

  constructor(metrics: Metrics) {
    this.#tokens = metrics.counter(METRIC.keyTokens);
    this.#cost = metrics.counter(METRIC.keyCost);
  }

  requestEnded({ payer, usage, costUsd, model, provider }: RequestEnd): void {
    if (payer === undefined || usage === null || model === null || provider === null) return;
    const series = this.#series(payer, model, provider);
    series.input.add(usage.promptTokens);
    series.output.add(usage.completionTokens);
    if (costUsd === null) return;
    series.cost ??= this.#cost.series(payer, model, provider);
    series.cost.add(Number(costUsd));
  }

  #series(payer: string, model: string, provider: string): KeySeries {
    const id = `${payer}\u0000${model}\u0000${provider}`;
    const kept = this.#kept.get(id);
    if (kept !== undefined) return kept;
    const series = {
      input: this.#tokens.series(payer, model, provider, 'input'),
      output: this.#tokens.series(payer, model, provider, 'output'),
      cost: null,
    };
    if (this.#kept.size < KEPT) this.#kept.set(id, series);
    return series;
  }
}
