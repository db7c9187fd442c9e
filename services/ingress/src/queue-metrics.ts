import type { ChunkQueue, ChunkQueueOptions } from '@headgate/core/queue';
import { METRIC, type Metrics } from '@headgate/core/telemetry';

/** What this process says of the embeddings that it has queued. */
export function addQueueMetrics(metrics: Metrics, queue: ChunkQueue): void {
  metrics.gauges(METRIC.queueWaits, 'sum', () => [{ values: [], value: queue.waiting }]);
  metrics.gauges(METRIC.liveEmbedders, 'highest', () => [{ values: [], value: queue.liveEmbedders }]);
}

/** Counts what the queue had to put right. */
export function queueCounters(metrics: Metrics): Pick<ChunkQueueOptions, 'onRepaired' | 'onTakenOver'> {
  const repaired = metrics.counter(METRIC.queueRepaired).series();
  const takenOver = metrics.counter(METRIC.queueTakenOver).series();
  return { onRepaired: () => repaired.add(1), onTakenOver: () => takenOver.add(1) };
}
