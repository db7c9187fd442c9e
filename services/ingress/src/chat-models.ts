import type { ModelEntry, RoutingTable } from '@headgate/core/catalog';
import { GatewayError } from '@headgate/core/errors';
import type { Principal } from '@headgate/core/identity';

/**
 * The model asked for and its fallbacks, by their ids. Throws a GatewayError: 404 for one that does not exist, 403 for one
 * that the key may not use, 400 for one that is no chat model.
 */
export function chatModels(
  table: RoutingTable,
  principal: Principal,
  modelId: string,
  fallbacks: readonly string[],
): readonly ModelEntry[] {
  return [modelId, ...fallbacks].map((id, i) => chatModel(table, principal, id, i === 0 ? 'model' : `models.${i - 1}`));
}

function chatModel(table: RoutingTable, principal: Principal, id: string, param: string): ModelEntry {
  const model = table.models.get(id);
  if (!model) throw modelNotFound(id);
  if (!principal.allows(id)) {
    throw new GatewayError('forbidden', `The API key may not use the model '${id}'.`, {
      param,
      code: 'model_not_allowed',
    });
  }
  if (model.type !== 'chat') {
    throw new GatewayError('invalid_request_error', `The model '${id}' is not a chat model.`, {
      param,
      code: 'unsupported_model_type',
    });
  }
  return model;
}

export const modelNotFound = (id: string): GatewayError =>
  new GatewayError('model_not_found', `The model '${id}' does not exist. GET /v1/models lists those that do.`, {
    param: { modelId: id },
    code: 'model_not_found',
  });
