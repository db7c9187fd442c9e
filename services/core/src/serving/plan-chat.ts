import type { RoutingTable } from '../catalog/index.ts';
import { affinityKey, type ChatRequest, readFeatures, readRoutingOptions } from '../chat/index.ts';
import type { Principal } from '../identity/index.ts';
import { type AffinityMemory, type HealthView, type Plan, type PlanRequest, planAttempts } from '../routing/index.ts';
import { servedModels } from './served-models.ts';

/** What a plan is made from, and the plan. */
export interface PlannedChat {
  readonly request: PlanRequest;
  readonly plan: Plan;
}

/** What of a process a plan depends on. */
export interface PlanningState {
  readonly table: RoutingTable;
  readonly health: HealthView;
  readonly affinity: AffinityMemory;
}

/**
 * From a validated chat request to its plan; changes nothing. Throws a GatewayError: as `servedModels`, and 400 when nothing
 * may serve it.
 */
export function planChat(
  chat: ChatRequest,
  principal: Principal,
  { table, health, affinity }: PlanningState,
  seed: number,
): PlannedChat {
  const options = readRoutingOptions(chat);
  const models = servedModels(table, principal, 'chat', chat.model, fallbacksOf(chat));
  const prefix = affinityKey(chat, options);
  const request: PlanRequest = {
    models,
    options,
    features: readFeatures(chat),
    affinity: prefix === null ? null : { prefix, endpointKey: affinity.find(chat.model, prefix, health.now) },
    seed,
  };
  return { request, plan: planAttempts(request, health) };
}

const fallbacksOf = ({ outline }: ChatRequest): readonly string[] =>
  outline.providerOptions?.gateway?.models ?? outline.models ?? [];
