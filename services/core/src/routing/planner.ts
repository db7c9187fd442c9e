import { assemble } from './assemble.ts';
import { attemptsOf, type Ordered, type Place } from './attempts.ts';
import { type Candidate, candidatesOf } from './candidate.ts';
import { withoutIncapable } from './capabilities.ts';
import type { HealthView } from './endpoint-health.ts';
import { nothingEligible } from './explain.ts';
import { applyFilters } from './filters.ts';
import { ordinaryPlan } from './ordinary.ts';
import type { Plan, RemovedEndpoint, SortRecord } from './plan.ts';
import { type Ranking, rank } from './ranking.ts';
import type { PlanRequest } from './request.ts';
import { metricOf } from './sorting.ts';

/**
 * The order in which endpoints are tried. Pure: the same request, health and seed give the same plan; the only clock is
 * `health.now`. What the caller's filters and the request's content rule out is left away; what is unwell comes last.
 * Throws a GatewayError (400): `no_eligible_provider` or `unsupported_content` when nothing is left, `invalid_value` for
 * options that can only be judged here.
 */
export function planAttempts(request: PlanRequest, health: HealthView): Plan {
  return ordinaryPlan(request, health) ?? fullPlan(request, health);
}

function fullPlan(request: PlanRequest, health: HealthView): Plan {
  const { models, options, features } = request;
  const removed: RemovedEndpoint[] = [];
  const allowed = applyFilters(candidatesOf(models), options, removed);
  const eligible = withoutIncapable(allowed, features, removed);
  if (eligible.length === 0) throw nothingEligible(models, removed, options);
  const rankings = rankModels(eligible, request, health);
  const places = rankings.flatMap(({ model, ranked }) => ranked.map((one): Place => ({ model, ...one })));
  const ordered = attemptsOf(places, options, health);
  return assemble(ordered, options, {
    removed,
    sort: sortRecord(request, ordered, health),
    affinity: affinityOf(rankings, ordered),
  });
}

type ModelRanking = Ranking & Pick<Candidate, 'model'>;

function rankModels(eligible: readonly Candidate[], request: PlanRequest, health: HealthView): ModelRanking[] {
  return [...Map.groupBy(eligible, ({ model }) => model)].map(([model, candidates]) => ({
    model,
    ...rank(
      model,
      candidates.map(({ endpoint }) => endpoint),
      request,
      health,
    ),
  }));
}

/** That of the model whose endpoint is asked first; what a fallback has cached is no hit. */
function affinityOf(rankings: readonly ModelRanking[], { attempts }: Ordered): Plan['affinity'] {
  return rankings.find(({ model }) => model === attempts[0]?.model)?.affinity ?? null;
}

function sortRecord(
  { options: { sort }, models }: PlanRequest,
  { attempts, deprioritized }: Ordered,
  health: HealthView,
): SortRecord | null {
  if (!sort) return null;
  const metrics = new Map<string, number>();
  for (const { endpoint } of candidatesOf(models)) {
    const metric = metricOf(sort, endpoint, health);
    if (metric !== null && !metrics.has(endpoint.provider.name)) metrics.set(endpoint.provider.name, metric);
  }
  return {
    option: sort,
    executionOrder: [...new Set(attempts.map(({ endpoint }) => endpoint.provider.name))],
    metrics: Object.fromEntries(metrics),
    deprioritized,
  };
}
