import type { GatewayError } from '@headgate/core/errors';
import { authenticationError, bearerToken, type KeyTable, type Principal } from '@headgate/core/identity';
import type { Exchange } from './exchange.ts';

/** Who is asking, from the `Authorization` header. Throws a GatewayError (401). */
export function identify(exchange: Exchange, keys: KeyTable): Principal {
  const bearer = bearerToken(exchange.authorization);
  if (!bearer.ok) throw refusal(bearer.reason);
  const found = keys.find(bearer.token, Date.now());
  if (!found.ok) throw refusal(found.reason);
  return found.principal;
}

const refusal = (reason: Parameters<typeof authenticationError>[0]): GatewayError => authenticationError(reason);
