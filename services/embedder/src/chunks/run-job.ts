import { type ChunkOutcome, emptyHead, runChunk } from '@headgate/core/embeddings';
import { GatewayError } from '@headgate/core/errors';
import { itemsOf, outcomeMessage, planOf, queueName, requestOf } from '@headgate/core/queue';
import { providerGate } from '@headgate/core/serving';
import type { EmbeddingJob } from '@headgate/proto/embedding_job';
import type { EmbedderParts } from '../parts.ts';
import type { ChunkHandler } from './contract.ts';

/** Each call asks for its own tokens. */
const NOTHING_MORE = { tokens: 0, money: 0 };

/** Runs chunks over the endpoints that this process' snapshot has of their plans. */
export function chunkHandler(parts: EmbedderParts): ChunkHandler {
  return async (job, signal) => {
    const outcome = await observed(job, signal, parts);
    return { outcome: outcomeMessage(outcome), data: outcome.data ?? Buffer.alloc(0) };
  };
}

async function observed(job: EmbeddingJob, signal: AbortSignal, parts: EmbedderParts): Promise<ChunkOutcome> {
  const { chunkId: jobId, generationId, traceparent, tracestate, model } = job;
  const table = parts.feed.current()?.table;
  const entry = table?.models.get(model);
  const plan = entry === undefined ? null : planOf(job, entry);
  if (table === undefined || plan === null) return unknownModel(job);
  const startedAt = performance.now();
  const queue = queueName(plan.attempts[0]?.endpoint.provider.name ?? '');
  const observation = parts.telemetry.observeJob({
    queue,
    jobId,
    generationId,
    traceparent,
    tracestate,
    startedAt,
  });
  observation.routed({ operation: 'embeddings', model, stream: false, keyName: '', plan: plan.keys, body: {} });
  const deadlineAt = startedAt + Number(job.deadlineMs) - Date.now();
  const admitAttempt = providerGate(parts, table, NOTHING_MORE, deadlineAt);
  const { pools, authorizers, health, telemetry } = parts;
  const outcome = await runChunk(
    {
      items: itemsOf(job),
      from: job.from,
      request: requestOf(job),
      plan,
      deadlineAt,
      signal,
      observation,
      generationId,
    },
    {
      pools,
      authorizers,
      health,
      // The queue waits, for all chunks of that provider.
      returnsWhenLimited: true,
      log: telemetry.logger,
      ...(admitAttempt && { admitAttempt }),
    },
  );
  const { error, head } = outcome;
  observation.ended({
    endedAt: performance.now(),
    status: error?.status ?? 200,
    errorType: error === null ? null : (error.failure ?? error.type),
    clientAborted: signal.aborted,
    firstByteAt: null,
    provider: head.provider || null,
    model,
    attempts: head.attempts.length,
    usage: null,
    costUsd: head.costUsd,
    keyName: null,
  });
  return outcome;
}

/** An ingress may have a newer snapshot: it is worth another try. */
const unknownModel = ({ model, items }: EmbeddingJob): ChunkOutcome => ({
  data: null,
  error: new GatewayError('no_provider_available', `No embedder can reach a provider of ${model}.`, {
    failure: 'overloaded',
  }),
  head: emptyHead(items.length),
});
