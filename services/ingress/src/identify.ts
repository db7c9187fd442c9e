import { GatewayError, toGatewayError } from '@headgate/core/errors';
import {
  authenticationError,
  bearerToken,
  looksLikeToken,
  type OidcVerifier,
  type Principal,
  type TokenLookup,
} from '@headgate/core/identity';
import type { Exchange } from './exchange.ts';
import type { Gateway } from './gateway.ts';

/**
 * Who is asking: by API key, or by OIDC token; the exchange is told, too. Where both are offered the key decides, even if it
 * is invalid. At once but for a token that is seen for the first time. Throws or rejects with a GatewayError: 401, or 503 when
 * a token cannot be checked.
 */
export function identify(exchange: Exchange, gateway: Gateway): Principal | Promise<Principal> {
  const found = callerOf(exchange, gateway);
  if (!(found instanceof Promise)) {
    exchange.caller = found;
    return found;
  }
  return found.then((principal) => {
    exchange.caller = principal;
    return principal;
  });
}

function callerOf(exchange: Exchange, gateway: Gateway): Principal | Promise<Principal> {
  const { keys } = gateway.current();
  const now = Date.now();
  if (exchange.apiKey !== '') {
    const found = keys.find(exchange.apiKey, now);
    if (found.ok) return found.principal;
    throw authenticationError(found.reason);
  }
  const bearer = bearerToken(exchange.authorization);
  if (!bearer.ok) throw authenticationError(bearer.reason);
  const found = keys.find(bearer.token, now);
  if (found.ok) return found.principal;
  const isKnown = found.reason === 'expired' || found.reason === 'disabled';
  if (isKnown || !gateway.oidc.enabled || !looksLikeToken(bearer.token)) throw authenticationError(found.reason);
  return byToken(gateway.oidc, bearer.token, now);
}

function byToken(oidc: OidcVerifier, token: string, now: number): Principal | Promise<Principal> {
  const found = oidc.find(token, now);
  return found instanceof Promise ? found.then(holder) : holder(found);
}

function holder(found: TokenLookup): Principal {
  if (found.ok) return found.principal;
  throw found.error;
}

/** Runs `serve` for whoever asks, or answers why not. For routes without a body. */
export function withCaller(
  exchange: Exchange,
  gateway: Gateway,
  serve: (principal: Principal) => void | Promise<void>,
): void {
  const answered = (thrown: unknown): void => exchange.refuseThrown(thrown);
  const run = (principal: Principal): void => {
    try {
      const served = serve(principal);
      if (served instanceof Promise) served.catch(answered);
    } catch (thrown) {
      answered(thrown);
    }
  };
  const caller = identify(exchange, gateway);
  if (caller instanceof Promise) caller.then(run, answered);
  else run(caller);
}

/** An error of Redis, on a route that cannot answer without it. */
export function ledgerAway(thrown: unknown): GatewayError {
  if (thrown instanceof GatewayError) return thrown;
  return new GatewayError('service_unavailable', 'The ledger cannot be read at the moment.', {
    code: 'ledger_unavailable',
    retryAfterMs: 1_000,
    cause: toGatewayError(thrown),
  });
}
