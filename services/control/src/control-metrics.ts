import { type CounterSeries, type Family, METRIC, type MetricDefinition, type Metrics } from '@headgate/core/telemetry';
import type { Backlog } from './ledger/backlog.ts';
import type { Reconciler } from './reconciler.ts';

export interface ControlMetricsSources {
  readonly reconciler: Reconciler;
  readonly backlog: Backlog;
  readonly redisUp: () => boolean;
}

/** What control says of its own work. */
export class ControlMetrics {
  readonly #taken: CounterSeries;
  readonly #refused: CounterSeries;
  readonly #rolledUp: CounterSeries;
  readonly #probes: Family<CounterSeries>;
  #refusedNow = false;

  constructor(metrics: Metrics, { reconciler, backlog, redisUp }: ControlMetricsSources) {
    const gauge = (definition: MetricDefinition, read: () => number): void =>
      metrics.gauges(definition, 'highest', () => [{ values: [], value: read() }]);
    gauge(METRIC.redisUp, () => (redisUp() ? 1 : 0));
    gauge(METRIC.publishedVersion, () => reconciler.published?.version ?? 0);
    gauge(METRIC.publishedTime, () => (reconciler.publishedAtMs ?? Number.NaN) / 1000);
    gauge(METRIC.publishedSettled, () => (reconciler.settled ? 1 : 0));
    gauge(METRIC.configRefused, () => (this.#refusedNow ? 1 : 0));
    gauge(METRIC.ledgerStreamEntries, () => backlog.entries);
    gauge(METRIC.ledgerStreamAge, () => backlog.ageSeconds);
    // From 0 on, so that the first of them counts as an increase.
    const reloads = metrics.counter(METRIC.configReloads);
    this.#taken = reloads.series('taken');
    this.#refused = reloads.series('refused');
    this.#rolledUp = metrics.counter(METRIC.ledgerRolledUp).series();
    this.#probes = metrics.counter(METRIC.probes);
  }

  /** headgate.yaml has changed, and was taken or refused. */
  configurationChanged(taken: boolean): void {
    this.#refusedNow = !taken;
    (taken ? this.#taken : this.#refused).add(1);
  }

  rolledUp(records: number): void {
    this.#rolledUp.add(records);
  }

  /** `outcome`: `success`, or the class of the failure. */
  probed(provider: string, outcome: string): void {
    this.#probes.series(provider, outcome).add(1);
  }
}
