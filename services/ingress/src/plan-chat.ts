import type { RoutingTable } from '@headgate/core/catalog';
import { affinityKey, type ChatRequest, readFeatures, readRoutingOptions } from '@headgate/core/chat';
import type { Principal } from '@headgate/core/identity';
import {
  type AffinityMemory,
  type HealthView,
  type Plan,
  type PlanRequest,
  planAttempts,
} from '@headgate/core/routing';
import { chatModels } from './chat-models.ts';

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
 * From a validated chat request to its plan; changes nothing. Throws a GatewayError: as `chatModels`, and 400 when nothing
 * may serve it.
 */
export function planChat(
  chat: ChatRequest,
  principal: Principal,
  { table, health, affinity }: PlanningState,
  seed: number,
): PlannedChat {
  const options = readRoutingOptions(chat);
  const models = chatModels(table, principal, chat.model, fallbacksOf(chat));
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
