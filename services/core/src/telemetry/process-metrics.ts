/** What every process reports about itself. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { GaugeOptions, Metrics } from './metrics.ts';
import { METRIC, type MetricDefinition } from './names.ts';

/** The delays shown are those of the running window, which starts anew when it is read after this time. */
const WINDOW_MS = 30_000;
const RESOLUTION_MS = 20;

/** @returns stops the measurement of the event loop */
export function addProcessMetrics(metrics: Metrics, service: string, version: string): () => void {
  const gauge = (definition: MetricDefinition, read: () => number, options: GaugeOptions = {}): void =>
    metrics.gauge(definition.name, definition.help, read, { unit: definition.unit, ...options });

  gauge(METRIC.buildInfo, () => 1, { labels: { service, version } });
  gauge(METRIC.processStart, () => performance.timeOrigin / 1000);
  gauge(METRIC.residentMemory, () => process.memoryUsage.rss());
  gauge(METRIC.heapUsed, () => process.memoryUsage().heapUsed);
  gauge(METRIC.heapTotal, () => process.memoryUsage().heapTotal);

  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  // Node reports the time between two firings of a timer; the delay is what exceeds its period.
  const seconds = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e9 - RESOLUTION_MS / 1000);
  let windowStart = performance.now();
  gauge(METRIC.eventLoopMax, () => seconds(delay.max));
  gauge(METRIC.eventLoopP50, () => seconds(delay.percentile(50)));
  // The last of the three to be read ends the window.
  gauge(METRIC.eventLoopP99, () => {
    const p99 = seconds(delay.percentile(99));
    if (performance.now() - windowStart > WINDOW_MS) {
      delay.reset();
      windowStart = performance.now();
    }
    return p99;
  });
  return () => {
    delay.disable();
  };
}
