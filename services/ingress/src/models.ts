import type { RoutingTable } from '@headgate/core/catalog';
import { GatewayError } from '@headgate/core/errors';
import type { Principal } from '@headgate/core/identity';
import { modelNotFound } from './chat.ts';
import type { Exchange } from './exchange.ts';
import type { Gateway } from './gateway.ts';
import { identify } from './identify.ts';

const PREFIX = '/v1/models/';

/** `GET /v1/models`: what the caller's key may use. */
export function serveModels(exchange: Exchange, gateway: Gateway): void {
  const { table, keys } = gateway.current();
  const principal = identify(exchange, keys);
  exchange.answerJson(200, `{"object":"list","data":[${cards(table, principal).join(',')}]}`);
}

/** `GET /v1/models/{creator}/{model}`, the slash raw or as `%2F`, as SDKs encode it. */
export function serveModel(exchange: Exchange, gateway: Gateway): void {
  const { table, keys } = gateway.current();
  const principal = identify(exchange, keys);
  const id = modelId(exchange.path);
  const model = table.models.get(id);
  // A model that the key may not use is not told from one that does not exist.
  if (!model || !principal.allows(id)) throw modelNotFound(id);
  exchange.answerJson(200, model.cardJson);
}

function cards(table: RoutingTable, principal: Principal): string[] {
  const list: string[] = [];
  for (const model of table.models.values()) if (principal.allows(model.id)) list.push(model.cardJson);
  return list;
}

function modelId(path: string): string {
  try {
    return decodeURIComponent(path.slice(PREFIX.length));
  } catch {
    throw new GatewayError('invalid_request_error', 'Invalid request: the model id is not valid percent-encoding.', {
      param: 'model',
      code: 'invalid_value',
    });
  }
}
