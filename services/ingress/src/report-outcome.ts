import type { FailureClass, GatewayError } from '@headgate/core/errors';
import type { RelayOutcome } from '@headgate/core/relay';
import type { PlannedAttempt, PlanRequest } from '@headgate/core/routing';
import type { Gateway } from './gateway.ts';

/** The caller is to blame: the model is as available as before. */
const OF_THE_CALLER: readonly FailureClass[] = ['bad_request', 'context_length', 'content_filter'];

/** What later requests may learn from the end of this one: who has its prompt cached, and whether its model was there. */
export function reportOutcome(
  { health, affinity }: Pick<Gateway, 'health' | 'affinity'>,
  request: PlanRequest,
  { error, clientAborted, last }: RelayOutcome,
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
