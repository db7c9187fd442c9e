import type { RoutingTable } from '@headgate/core/catalog';
import { GatewayError } from '@headgate/core/errors';
import type { Principal } from '@headgate/core/identity';
import { modelNotFound } from '@headgate/core/serving';
import { answerEndpoints } from './endpoints.ts';
import type { Exchange } from './exchange.ts';
import type { Gateway } from './gateway.ts';
import { withCaller } from './identify.ts';

const PREFIX = '/v1/models/';
const ENDPOINTS = '/endpoints';

/** `GET /v1/models`: what the caller's key may use. */
export function serveModels(exchange: Exchange, gateway: Gateway): void {
  const { table } = gateway.current();
  withCaller(exchange, gateway, (principal) =>
    exchange.answerJson(200, `{"object":"list","data":[${cards(table, principal).join(',')}]}`),
  );
}

/**
 * `GET /v1/models/{creator}/{model}` and `GET /v1/models/{creator}/{model}/endpoints`, slashes raw or as `%2F`, as SDKs
 * encode them. A model may itself be called `.../endpoints`: a raw `/endpoints` asks first for what its name says, an
 * encoded one first for the model of that name.
 */
export function serveModel(exchange: Exchange, gateway: Gateway): void {
  withCaller(exchange, gateway, (principal) => answerModel(exchange, gateway, principal));
}

function answerModel(exchange: Exchange, gateway: Gateway, principal: Principal): void {
  const { table } = gateway.current();
  // A model that the key may not use is not told from one that does not exist.
  const find = (id: string | null) => (id !== null && principal.allows(id) ? (table.models.get(id) ?? null) : null);
  const raw = exchange.path.slice(PREFIX.length);
  const id = decoded(raw);
  const ownerOfEndpoints = id.endsWith(ENDPOINTS) ? id.slice(0, -ENDPOINTS.length) : null;
  const owner = find(ownerOfEndpoints);
  const model = find(id);
  if (owner !== null && (model === null || raw.endsWith(ENDPOINTS))) void answerEndpoints(exchange, gateway, owner);
  else if (model !== null) exchange.answerJson(200, model.cardJson);
  else throw modelNotFound(raw.endsWith(ENDPOINTS) && ownerOfEndpoints !== null ? ownerOfEndpoints : id);
}

function cards(table: RoutingTable, principal: Principal): string[] {
  const list: string[] = [];
  for (const model of table.models.values()) if (principal.allows(model.id)) list.push(model.cardJson);
  return list;
}

function decoded(id: string): string {
  try {
    return decodeURIComponent(id);
  } catch {
    throw new GatewayError('invalid_request_error', 'Invalid request: the model id is not valid percent-encoding.', {
      param: 'model',
      code: 'invalid_value',
    });
  }
}
