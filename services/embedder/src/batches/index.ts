import { DEFAULT_BATCHES } from '@headgate/core/catalog';
import type { EmbedderParts } from '../parts.ts';
import { BatchWorkers } from './batch-workers.ts';
import { LineRunner } from './line-runner.ts';

export { BatchWorkers, type BatchWorkersOptions } from './batch-workers.ts';
export type { LineOutcome, RunLine } from './shard-run.ts';

/** Work on batches, as an embedder does it. */
export function startBatchWorkers(parts: EmbedderParts): BatchWorkers {
  const { feed, files, telemetry, redisUrl, queueUrl, prefix } = parts;
  const runner = new LineRunner(parts);
  const lockMs = Number(process.env.HEADGATE_JOB_LOCK_MS) || undefined;
  const workers = new BatchWorkers({
    redisUrl,
    queueUrl,
    prefix,
    files,
    policy: () => feed.current()?.table.batches ?? DEFAULT_BATCHES,
    runnerOf: (batch, facts) => runner.runnerOf(batch, facts),
    metrics: telemetry.metrics,
    log: telemetry.logger,
    ...(lockMs === undefined ? {} : { lockMs }),
  });
  feed.onChange(() => workers.configured());
  workers.start();
  return workers;
}
