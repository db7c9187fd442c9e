import type { UsageWriter } from '../ledger/index.ts';
import type { RedisLimiter } from '../limits/index.ts';
import { METRIC, type MetricDefinition, type Metrics } from '../telemetry/index.ts';

/** What this process says of its limits and of its way into the ledger; all processes are added up. */
export function addAccountingMetrics(metrics: Metrics, limiter: RedisLimiter, usage: UsageWriter): void {
  const gauge = (definition: MetricDefinition, read: () => number): void =>
    metrics.gauges(definition, 'sum', () => [{ values: [], value: read() }]);
  gauge(METRIC.limitCalls, () => limiter.counters.calls);
  gauge(METRIC.limitWaits, () => limiter.counters.waited);
  gauge(METRIC.ledgerWaiting, () => usage.waiting);
  gauge(METRIC.ledgerDropped, () => usage.dropped);
}
