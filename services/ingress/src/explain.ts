import type { HttpRequest } from 'uWebSockets.js';
import { randomInt } from 'node:crypto';
import { readChatRequest } from '@headgate/core/chat';
import { GatewayError } from '@headgate/core/errors';
import type { Principal } from '@headgate/core/identity';
import { planChat } from '@headgate/core/serving';
import { type CollectedBody, collectBody, releaseBody } from './body.ts';
import type { Exchange } from './exchange.ts';
import { explainDocument } from './explain-document.ts';
import type { Gateway } from './gateway.ts';
import { identify } from './identify.ts';

export const EXPLAIN_ROUTE = '/v1/route/explain';

const MAX_SEED = 2 ** 32;

/**
 * `POST /v1/route/explain`: what would happen to this chat request, and why. Calls no provider, takes no probe's permit,
 * leaves no trace in health or affinity. `?seed=` repeats a plan, as far as health is still the same.
 */
export function serveExplain(exchange: Exchange, gateway: Gateway, req: HttpRequest): void {
  const { table } = gateway.current();
  const caller = identify(exchange, gateway);
  const seed = readSeed(req.getQuery('seed'));
  const explain = (principal: Principal, body: CollectedBody): void => {
    const health = gateway.health.view();
    const chat = readChatRequest(body.store, body.start, body.end);
    const { request, plan } = planChat(chat, principal, { table, health, affinity: gateway.affinity }, seed);
    const document = explainDocument(request, plan, health);
    releaseBody(body);
    exchange.answerJson(200, JSON.stringify(document));
  };
  collectBody(exchange, table.server.maxBodyBytes, async (body, error) => {
    try {
      const principal = caller instanceof Promise ? await caller : caller;
      if (body === null) throw error;
      explain(principal, body);
    } catch (thrown) {
      exchange.refuseThrown(thrown);
    }
  });
}

function readSeed(given: string | undefined): number {
  if (given === undefined || given === '') return randomInt(MAX_SEED);
  const seed = Number(given);
  if (/^\d{1,10}$/.test(given) && seed < MAX_SEED) return seed;
  throw new GatewayError(
    'invalid_request_error',
    `Invalid request: expected a whole number below ${MAX_SEED} as 'seed'.`,
    {
      param: 'seed',
      code: 'invalid_value',
    },
  );
}
