import { type EmbeddingRequest, tokensOfItems } from '../embeddings/index.ts';
import type { Principal } from '../identity/index.ts';
import { type Plan, type PlanRequest, planAttempts } from '../routing/index.ts';
import type { PlanningState } from './plan-chat.ts';
import { servedModels } from './served-models.ts';

/** What a plan is made from, and the plan. */
export interface PlannedEmbeddings {
  readonly request: PlanRequest;
  readonly plan: Plan;
}

/** As `planChat`, of embeddings: nothing of them is cached, so no endpoint is dearer to them than another. Throws likewise. */
export function planEmbeddings(
  embeddings: EmbeddingRequest,
  principal: Principal,
  { table, health }: Omit<PlanningState, 'affinity'>,
  seed: number,
): PlannedEmbeddings {
  const { head, fallbacks, options, items } = embeddings;
  const request: PlanRequest = {
    models: servedModels(table, principal, 'embedding', head.model, fallbacks),
    options,
    features: {
      images: false,
      files: false,
      audio: false,
      tools: false,
      jsonSchema: false,
      // Context windows hold one item each.
      promptTokens: items.reduce((most, item) => Math.max(most, tokensOfItems([item])), 0),
      maxOutputTokens: 0,
    },
    affinity: null,
    seed,
  };
  return { request, plan: planAttempts(request, health) };
}
