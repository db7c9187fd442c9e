import { NO_USAGE } from '@headgate/core/batches';
import { readEmbeddingRequest, runEmbeddings } from '@headgate/core/embeddings';
import {
  askedOfEmbeddings,
  demandOfEmbeddings,
  planEmbeddings,
  providerGate,
  requestEnd,
  servedEmbeddings,
  settle,
  subjectsOf,
} from '@headgate/core/serving';
import { admitLine, leavesTooLittle } from './line-admission.ts';
import { errorAnswer, type LineCall, type LineTools } from './line-tools.ts';
import type { LineOutcome } from './shard-run.ts';

export const EMBEDDING_LINE_ROUTE = '/v1/batches:embeddings';

const SOON_MS = 1_000;
/** Of one request, as OpenAI has it: its answer has to be one line, and is held in memory. */
const MOST_INPUTS = 2_048;
/** What differs from run to run has no place in the output of a batch: the same input gives the same bytes. */
const METADATA = Buffer.from(',"providerMetadata":');
const END = Buffer.from('}');

/** Runs an embeddings request of a batch once. */
export async function runEmbeddingLine(call: LineCall, tools: LineTools): Promise<LineOutcome> {
  const { principal, table, observation, signal, generationId, startedAt } = call;
  const { pools, authorizers, health, limiter, telemetry } = tools.parts;
  const request = readEmbeddingRequest(call.body, Math.min(MOST_INPUTS, table.embeddings.maxItems));
  const planned = planEmbeddings(request, principal, { table, health: health.view() }, call.seed);
  for (const key of planned.plan.permits) health.takePermit(key);
  for (const key of planned.plan.wanted) health.wanted(key);
  observation.routed({
    operation: 'embeddings',
    model: request.head.model,
    stream: false,
    keyName: principal.name,
    plan: planned.plan.keys,
    body: request.outline,
  });
  const deadlineAt = startedAt + table.server.requestTimeoutMs;
  const demand = demandOfEmbeddings(tools, principal, request, planned);
  const [model] = planned.request.models;
  const subjects = model === undefined ? [] : subjectsOf(table, principal, model, request.user);
  const { onRedisLoss } = table.limits;
  const admitted = await admitLine(limiter, subjects, demand, { onRedisLoss, deadlineAt });
  if ('waitMs' in admitted) return admitted;
  if ('error' in admitted) throw admitted.error;
  const gate = providerGate({ limiter }, table, demand, deadlineAt, leavesTooLittle);
  const outcome = await runEmbeddings(
    { request, plan: planned.plan, deadlineAt, signal, observation, generationId, simulated: table.simulated },
    tools.embeddings,
    { pools, authorizers, health, log: telemetry.logger, ...(gate === undefined ? {} : { admitAttempt: gate }) },
  );
  const served = servedEmbeddings(outcome, signal.aborted);
  const status = outcome.error?.status ?? 200;
  const facts = { generationId, requestId: call.requestId, startedAt, status, referer: '', title: '' };
  settle(
    { ...tools.parts, affinity: tools.affinity },
    { facts, principal, asked: askedOfEmbeddings(request), planned: planned.request, admission: admitted.admission },
    served,
  );
  observation.ended(requestEnd(served, principal, status));
  if (signal.aborted) return { waitMs: SOON_MS };
  const { error, body, accounted } = outcome;
  // Limits of providers pass, and nobody waits.
  if (error?.status === 429) return { waitMs: Math.max(SOON_MS, error.retryAfterMs ?? 0) };
  if (error !== null) return { answer: errorAnswer(error) };
  const usage = { ...NO_USAGE, inputTokens: accounted?.usage.promptTokens ?? 0 };
  return { answer: { status: 200, body: withoutMetadata(body ?? Buffer.alloc(0)), usage } };
}

function withoutMetadata(body: Buffer): Buffer {
  const at = body.lastIndexOf(METADATA);
  return at < 0 ? body : Buffer.concat([body.subarray(0, at), END]);
}
