import type { EndpointEntry, ModelEntry } from '../catalog/index.ts';
import { affinityObjection, isCrowded } from './affinity.ts';
import type { HealthView } from './endpoint-health.ts';
import type { Plan } from './plan.ts';
import type { PlanRequest } from './request.ts';
import { sortBy } from './sorting.ts';
import { drawByWeight, groupsOf, type Ranked } from './weights.ts';

/** One model's endpoints in the order of preference, without regard to their health. */
export interface Ranking {
  readonly ranked: readonly Ranked[];
  readonly affinity: Plan['affinity'];
}

/** The providers of `order` first, then the others: by `sort`, else in configured order with draws among equals. */
export function rank(
  model: ModelEntry,
  eligible: readonly EndpointEntry[],
  request: PlanRequest,
  health: HealthView,
): Ranking {
  const named = namedFirst(model, eligible, request);
  const rest =
    named.length === 0 ? eligible : eligible.filter((one) => !named.some(({ endpoint }) => endpoint === one));
  const { ranked, affinity } = rankRest(model, rest, request, health);
  return { ranked: [...named, ...ranked], affinity: named.length > 0 && affinity === 'hit' ? 'miss' : affinity };
}

function namedFirst(model: ModelEntry, eligible: readonly EndpointEntry[], { options, seed }: PlanRequest): Ranked[] {
  return [...new Set(options.order)].flatMap((provider) =>
    drawByWeight(
      eligible.filter((endpoint) => endpoint.provider.name === provider),
      groupsOf(model.endpoints),
      seed,
      () => 'named by order',
    ),
  );
}

function rankRest(
  model: ModelEntry,
  rest: readonly EndpointEntry[],
  request: PlanRequest,
  health: HealthView,
): Ranking {
  const { options, seed } = request;
  if (options.sort) return { ranked: sortBy(options.sort, rest, seed, health), affinity: null };
  const draw = (by: number): Ranked[] => drawByWeight(rest, groupsOf(model.endpoints), by, () => 'configured order');
  const affinity = options.affinity === 'off' || rest.length < 2 ? null : request.affinity;
  if (affinity === null) return { ranked: draw(seed), affinity: null };
  let ranked = draw(affinity.prefix);
  // All requests of one prefix draw alike: when they are many, they spread as any others.
  if (ranked[0] && isCrowded(ranked[0].endpoint, model.endpoints, health)) ranked = draw(seed);
  return holderFirst(model, ranked, affinity.endpointKey, health);
}

function holderFirst(
  model: ModelEntry,
  ranked: readonly Ranked[],
  endpointKey: string | null,
  health: HealthView,
): Ranking {
  const holder = ranked.find(({ endpoint }) => endpoint.key === endpointKey)?.endpoint;
  if (!holder || affinityObjection(holder, ranked, model.endpoints, health) !== null)
    return { ranked, affinity: 'miss' };
  const others = ranked.filter(({ endpoint }) => endpoint !== holder);
  return { ranked: [{ endpoint: holder, reason: 'has the prompt cached' }, ...others], affinity: 'hit' };
}
