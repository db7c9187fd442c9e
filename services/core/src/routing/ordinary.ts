import type { ModelEntry } from '../catalog/index.ts';
import { assemble } from './assemble.ts';
import { attemptsOf } from './attempts.ts';
import { takesAll } from './capabilities.ts';
import { type HealthView, isUnwell } from './endpoint-health.ts';
import type { Plan } from './plan.ts';
import { type Ranking, rank } from './ranking.ts';
import type { PlanRequest, RoutingOptions } from './request.ts';

/** Orders of one model's endpoints that are kept; few models have as many. */
const MOST_PLANS = 64;

/** What is remembered of a model; it lives as long as the model's snapshot. */
interface Memory {
  /** All endpoints were well at that version of that view, hence still are while it stays. */
  view: HealthView | null;
  version: number;
  /** Nothing is drawn: requests without affinity all get the same plan. */
  readonly fixed: boolean;
  plain: Plan | null;
  /** By the endpoints in their order and the reason of each. */
  readonly plans: Map<string, Plan>;
}

const memories = new WeakMap<ModelEntry, Memory>();

/**
 * The plan of a request that asks for nothing special of one model whose endpoints are all well and can all serve it,
 * which is nearly every request: made once for each order, and shared. Null for any other request.
 */
export function ordinaryPlan(request: PlanRequest, health: HealthView): Plan | null {
  const [model] = request.models;
  if (!model || request.models.length > 1 || !isEmpty(request.options)) return null;
  if (!takesAll(model, request.features)) return null;
  const memory = memoryOf(model);
  if (!allWell(model, memory, health)) return null;
  if (memory.fixed && (request.affinity === null || model.endpoints.length === 1)) {
    memory.plain ??= planFor(model, rank(model, model.endpoints, request, health), request.options, health);
    return memory.plain;
  }
  return remembered(model, memory, request, health);
}

function remembered(model: ModelEntry, { plans }: Memory, request: PlanRequest, health: HealthView): Plan {
  const ranking = rank(model, model.endpoints, request, health);
  let name = ranking.affinity ?? '';
  for (const { endpoint, reason } of ranking.ranked) name += `\n${endpoint.key} ${reason}`;
  let plan = plans.get(name);
  if (!plan) {
    if (plans.size >= MOST_PLANS) plans.clear();
    plan = planFor(model, ranking, request.options, health);
    plans.set(name, plan);
  }
  return plan;
}

function planFor(model: ModelEntry, { ranked, affinity }: Ranking, options: RoutingOptions, health: HealthView): Plan {
  const places = ranked.map((one) => ({ model, ...one }));
  return assemble(attemptsOf(places, options, health), options, { removed: [], sort: null, affinity });
}

function memoryOf(model: ModelEntry): Memory {
  let memory = memories.get(model);
  if (!memory) {
    const fixed = model.endpoints.every(({ weight }) => weight === null);
    memory = { view: null, version: 0, fixed, plain: null, plans: new Map() };
    memories.set(model, memory);
  }
  return memory;
}

/** Half-open endpoints are not counted as well: their plans name their permits. */
function allWell(model: ModelEntry, memory: Memory, health: HealthView): boolean {
  if (memory.view === health && memory.version === health.version) return true;
  memory.view = null;
  for (const { key } of model.endpoints) {
    const known = health.of(key);
    if (known !== undefined && (known.breaker !== 'closed' || isUnwell(known, health.now))) return false;
  }
  memory.view = health;
  memory.version = health.version;
  return true;
}

function isEmpty(options: RoutingOptions): boolean {
  for (const _ in options) return false;
  return true;
}
