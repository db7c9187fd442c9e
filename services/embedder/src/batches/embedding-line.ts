import { NO_USAGE } from '@headgate/core/batches';
import {
  type EmbeddingRequest,
  type EmbeddingsOutcome,
  readEmbeddingRequest,
  runEmbeddings,
  tokensOfItems,
} from '@headgate/core/embeddings';
import { type Admission, type Demand, nanoCost } from '@headgate/core/limits';
import {
  demandOf,
  type PlannedEmbeddings,
  planEmbeddings,
  providerGate,
  reportOutcome,
  subjectsOf,
  usageRecord,
} from '@headgate/core/serving';
import { admitLine } from './line-admission.ts';
import { errorAnswer, type LineCall, type LineTools } from './line-tools.ts';
import type { LineOutcome } from './shard-run.ts';

export const EMBEDDING_LINE_ROUTE = '/v1/batches:embeddings';

const SOON_MS = 1_000;
/** What differs from run to run has no place in the output of a batch: the same input gives the same bytes. */
const METADATA = Buffer.from(',"providerMetadata":');

/** Runs an embeddings request of a batch once. */
export async function runEmbeddingLine(call: LineCall, tools: LineTools): Promise<LineOutcome> {
  const { principal, table, observation, signal, generationId, startedAt } = call;
  const { pools, authorizers, health, limiter, telemetry } = tools.parts;
  const request = readEmbeddingRequest(Buffer.from(call.body), table.embeddings.maxItems);
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
  const demand = demandFor(call, tools, request, planned);
  const [model] = planned.request.models;
  const subjects = model === undefined ? [] : subjectsOf(table, principal, model, request.user);
  const { onRedisLoss } = table.limits;
  const admitted = await admitLine(limiter, subjects, demand, { onRedisLoss, deadlineAt });
  if ('waitMs' in admitted) return admitted;
  if ('error' in admitted) throw admitted.error;
  const gate = providerGate({ limiter }, table, demand, deadlineAt);
  const outcome = await runEmbeddings(
    { request, plan: planned.plan, deadlineAt, signal, observation, generationId, simulated: table.simulated },
    tools.embeddings,
    { pools, authorizers, health, log: telemetry.logger, ...(gate === undefined ? {} : { admitAttempt: gate }) },
  );
  settle(call, tools, { request, planned, admission: admitted.admission }, outcome);
  if (signal.aborted) return { waitMs: SOON_MS };
  const { error, body, accounted } = outcome;
  // Limits of providers pass, and nobody waits.
  if (error?.status === 429) return { waitMs: Math.max(SOON_MS, error.retryAfterMs ?? 0) };
  if (error !== null) return { answer: errorAnswer(error) };
  const usage = { ...NO_USAGE, inputTokens: accounted?.usage.promptTokens ?? 0 };
  return { answer: { status: 200, body: withoutMetadata(body ?? Buffer.alloc(0)), usage } };
}

/** Of all items together; the plan is for the largest of them. */
function demandFor(
  { principal }: LineCall,
  { learnedOutput }: LineTools,
  { items }: EmbeddingRequest,
  { request, plan }: PlannedEmbeddings,
): Demand {
  const features = { ...request.features, promptTokens: tokensOfItems(items) };
  return demandOf({ learnedOutput }, principal, { ...request, features }, plan, 1);
}

interface Admitted {
  readonly request: EmbeddingRequest;
  readonly planned: PlannedEmbeddings;
  readonly admission: Admission | null;
}

/** What was used takes the place of what was reserved, and is written down. */
function settle(call: LineCall, tools: LineTools, asked: Admitted, outcome: EmbeddingsOutcome): void {
  const { principal, generationId, requestId, startedAt, observation } = call;
  const { parts, affinity } = tools;
  const { request, planned, admission } = asked;
  const { error, last, attempts, accounted } = outcome;
  const endedAt = performance.now();
  const clientAborted = call.signal.aborted;
  const status = error?.status ?? 200;
  const ended = {
    error,
    clientAborted,
    last,
    attempts,
    accounted,
    endedAt,
    provider: last?.endpoint.provider.name ?? null,
    model: last?.model.id ?? null,
    firstContentAt: error === null ? endedAt : null,
  };
  reportOutcome({ health: parts.health, affinity }, planned.request, ended);
  if (attempts === 0) admission?.release();
  else {
    const tokens = accounted?.usage.promptTokens ?? 0;
    admission?.settle({ tokens, money: accounted?.costUsd ? nanoCost(accounted.costUsd) : 0 });
    const { head, user, tags } = request;
    const facts = { generationId, requestId, startedAt, status, referer: '', title: '' };
    const record = { operation: 'embeddings', model: head.model, stream: false, user, tags } as const;
    parts.usage.write(usageRecord(facts, principal, record, ended));
  }
  observation.ended({
    endedAt,
    status: clientAborted ? 499 : status,
    errorType: error?.type ?? null,
    clientAborted,
    firstByteAt: ended.firstContentAt,
    provider: ended.provider,
    model: ended.model,
    attempts,
    usage: accounted?.usage ?? null,
    costUsd: accounted?.costUsd ?? null,
    keyName: principal.name,
  });
}

function withoutMetadata(body: Buffer): string {
  const at = body.lastIndexOf(METADATA);
  return at < 0 ? body.toString() : `${body.toString('utf8', 0, at)}}`;
}
