import type { Ordered } from './attempts.ts';
import { reasoningOf } from './explain.ts';
import type { Plan } from './plan.ts';
import type { RoutingOptions } from './request.ts';

/** The plan of ordered attempts, with its explanation. */
export function assemble(
  { attempts, permits, wanted }: Ordered,
  options: RoutingOptions,
  { removed, sort, affinity }: Pick<Plan, 'removed' | 'sort' | 'affinity'>,
): Plan {
  return {
    attempts,
    keys: attempts.map(({ endpoint }) => endpoint.key),
    removed,
    sort,
    affinity,
    permits,
    wanted,
    warnings: (options.ignored ?? []).map((option) => `${option}: has no effect in this release`),
    reasoning: reasoningOf(attempts, removed, options),
  };
}
