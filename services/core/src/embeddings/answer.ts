import type { Plan, PlannedAttempt } from '../routing/index.ts';
import type { ChunkHead, EmbeddingRequestHead } from './contract.ts';
import { sumUsd } from './sum-usd.ts';

/** More attempts help nobody to understand what happened; how many there were is said beside them. */
const MOST_ATTEMPTS_SHOWN = 20;

/** The heads of the chunks that one model was asked for. */
export interface ModelRun {
  readonly modelId: string;
  readonly success: boolean;
  readonly heads: readonly ChunkHead[];
}

export interface AnswerFacts {
  readonly request: EmbeddingRequestHead;
  readonly generationId: string;
  readonly plan: Plan;
  /** Never empty; the last one answered. */
  readonly runs: readonly ModelRun[];
  /** The endpoint that answered, the last chunk where they differ. */
  readonly answered: PlannedAttempt;
  /** Entries of `data`, in order. */
  readonly data: readonly Buffer[];
  /** The simulator answers because no provider is configured. */
  readonly simulated: boolean;
}

const OPENING = Buffer.from('{"object":"list","data":[');
const COMMA = Buffer.from(',');

/** The bytes of the client's answer (seed, "Embeddings"; WIRE 2.5). */
export function embeddingsAnswer(facts: AnswerFacts): Buffer {
  const pieces: Buffer[] = [OPENING];
  for (const [i, entries] of facts.data.entries()) {
    if (i > 0) pieces.push(COMMA);
    pieces.push(entries);
  }
  const { answered, runs } = facts;
  const tokens = promptTokensOf(runs.at(-1)?.heads ?? []);
  const end = JSON.stringify({
    model: answered.model.id,
    usage: { prompt_tokens: tokens, total_tokens: tokens },
    providerMetadata: { gateway: gatewayOf(facts) },
  });
  pieces.push(Buffer.from(`],${end.slice(1)}`));
  return Buffer.concat(pieces);
}

export const promptTokensOf = (heads: readonly ChunkHead[]): number =>
  heads.reduce((sum, { promptTokens }) => sum + promptTokens, 0);

function gatewayOf({ request, generationId, plan, runs, answered, simulated }: AnswerFacts): object {
  const heads = runs.at(-1)?.heads ?? [];
  const { endpoint, model } = answered;
  const { name } = endpoint.provider;
  const attempts = runs.flatMap((run) => run.heads.flatMap((head) => head.attempts));
  const warnings = [...new Set([...plan.warnings, ...heads.flatMap((head) => head.warnings)])];
  const cost = sumUsd(heads.map((head) => head.costUsd));
  const marketCost = sumUsd(heads.map((head) => head.marketCostUsd));
  const others = plan.attempts.map((planned) => planned.endpoint.provider.name).filter((other) => other !== name);
  return {
    routing: {
      originalModelId: request.model,
      canonicalSlug: model.id,
      resolvedProvider: name,
      resolvedProviderApiModelId: endpoint.model,
      internalResolvedModelId: endpoint.key,
      fallbacksAvailable: [...new Set(others)],
      planningReasoning: plan.reasoning,
      finalProvider: name,
      ...(plan.sort === null ? {} : { sort: plan.sort }),
      attempts: attempts.slice(-MOST_ATTEMPTS_SHOWN),
      modelAttemptCount: runs.length,
      modelAttempts: runs.map(modelAttempt),
      totalProviderAttemptCount: attempts.length,
    },
    ...(cost === null ? {} : { cost }),
    ...(marketCost === null ? {} : { marketCost }),
    generationId,
    usageSource: heads.some((head) => head.usageSource === 'estimated') ? 'estimated' : 'provider',
    ...(warnings.length === 0 ? {} : { warnings }),
    ...(simulated ? { simulated } : {}),
  };
}

function modelAttempt({ modelId, success, heads }: ModelRun): object {
  const attempts = heads.flatMap((head) => head.attempts);
  return {
    modelId,
    canonicalSlug: modelId,
    success,
    providerAttemptCount: attempts.length,
    providerAttempts: attempts.slice(-MOST_ATTEMPTS_SHOWN),
  };
}
