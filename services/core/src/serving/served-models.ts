import type { ModelEntry, RoutingTable } from '../catalog/index.ts';
import { GatewayError } from '../errors/index.ts';
import type { Principal } from '../identity/index.ts';

type ModelKind = ModelEntry['type'];

/** Where the models of the other kind are served. */
const WAY_OUT: Readonly<Record<ModelKind, string>> = {
  chat: 'is no chat model: it makes embeddings, at POST /v1/embeddings.',
  embedding: 'makes no embeddings: it is a chat model, for POST /v1/chat/completions.',
};

/**
 * The model asked for and its fallbacks, by their ids, all of the wanted type. Throws a GatewayError: 404 for one that does not
 * exist, 403 for one that the key may not use, 400 for one of another type.
 */
export function servedModels(
  table: RoutingTable,
  principal: Principal,
  wanted: ModelKind,
  modelId: string,
  fallbacks: readonly string[],
): readonly ModelEntry[] {
  return [modelId, ...fallbacks].map((id, i) => {
    const model = allowedModel(table, principal, id, i === 0 ? 'model' : `models.${i - 1}`);
    if (model.type === wanted) return model;
    throw new GatewayError('invalid_request_error', `The model '${id}' ${WAY_OUT[wanted]}`, {
      param: i === 0 ? 'model' : `models.${i - 1}`,
      code: 'unsupported_model_type',
    });
  });
}

function allowedModel(table: RoutingTable, principal: Principal, id: string, param: string): ModelEntry {
  const model = table.models.get(id);
  if (!model) throw modelNotFound(id);
  if (!principal.allows(id)) {
    throw new GatewayError('forbidden', `${whoIs(principal)} may not use the model '${id}'.`, {
      param,
      code: 'model_not_allowed',
    });
  }
  return model;
}

const whoIs = ({ isOfToken }: Principal): string => (isOfToken ? 'The holder of this token' : 'The API key');

export const modelNotFound = (id: string): GatewayError =>
  new GatewayError('model_not_found', `The model '${id}' does not exist. GET /v1/models lists those that do.`, {
    param: { modelId: id },
    code: 'model_not_found',
  });
