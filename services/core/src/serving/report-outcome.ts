import type { FailureClass, GatewayError } from '../errors/index.ts';
import type { HealthBoard } from '../health/index.ts';
import type { RelayOutcome } from '../relay/index.ts';
import type { AffinityMemory, PlannedAttempt, PlanRequest } from '../routing/index.ts';

/** The caller is to blame: the model is as available as before. */
const OF_THE_CALLER: readonly FailureClass[] = ['bad_request', 'context_length', 'content_filter'];

/** What later requests may learn from the end of this one: who has its prompt cached, and whether its model was there. */
export function reportOutcome(
  { health, affinity }: { readonly health: Pick<HealthBoard, 'finished'>; readonly affinity: AffinityMemory },
  request: PlanRequest,
  { error, clientAborted, last }: Pick<RelayOutcome, 'error' | 'clientAborted' | 'last'>,
): void {
  if (clientAborted || last === null) return;
  if (error === null && request.affinity !== null) {
    const { model, endpoint } = last;
    affinity.remember(model.id, request.affinity.prefix, endpoint.key, endpoint.provider.promptCacheMs, Date.now());
  }
  const [asked] = request.models;
  if (asked && tellsOfTheModel(last, error)) health.finished(asked.id, error === null);
}

/** As with attempts, a caller's own credential and a caller's own mistake say nothing. */
function tellsOfTheModel({ credentialType }: PlannedAttempt, error: GatewayError | null): boolean {
  if (credentialType === 'byok') return false;
  if (error === null) return true;
  return error.failure === undefined ? error.status >= 500 : !OF_THE_CALLER.includes(error.failure);
}
