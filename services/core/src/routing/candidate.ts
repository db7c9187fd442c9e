import type { EndpointEntry, ModelEntry } from '../catalog/index.ts';
import type { RemovedEndpoint } from './plan.ts';

/** An endpoint that may be tried, before anything is ordered. */
export interface Candidate {
  readonly model: ModelEntry;
  readonly endpoint: EndpointEntry;
}

/** Every endpoint of the models, in configured order; a model that is named twice counts once. */
export function candidatesOf(models: readonly ModelEntry[]): readonly Candidate[] {
  return [...new Set(models)].flatMap((model) => model.endpoints.map((endpoint) => ({ model, endpoint })));
}

/** Those without a reason against them; the others are recorded. `objection`: null, or what speaks against it. */
export function keep(
  candidates: readonly Candidate[],
  by: string,
  objection: (candidate: Candidate) => string | null,
  removed: RemovedEndpoint[],
): readonly Candidate[] {
  return candidates.filter((candidate) => {
    const detail = objection(candidate);
    if (detail === null) return true;
    removed.push({ model: candidate.model.id, endpointKey: candidate.endpoint.key, by, detail });
    return false;
  });
}
