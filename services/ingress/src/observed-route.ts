import { GatewayError } from '@headgate/core/errors';
import type { Exchange } from './exchange.ts';
import type { Gateway } from './gateway.ts';

/**
 * Runs a route that asks no provider, with its span, its metrics and its log line. What `serve` throws or rejects with is
 * answered.
 */
export function observedRoute(exchange: Exchange, gateway: Gateway, route: string, serve: () => Promise<void>): void {
  const observation = gateway.telemetry.observe({
    method: exchange.method,
    route,
    path: exchange.path,
    requestId: exchange.requestId,
    generationId: null,
    traceparent: exchange.traceparent,
    tracestate: exchange.tracestate,
    startedAt: exchange.startedAt,
  });
  const ended = (errorType: string | null): void =>
    observation.ended({
      endedAt: performance.now(),
      status: exchange.gone ? 499 : exchange.status,
      errorType: exchange.gone ? null : errorType,
      clientAborted: exchange.gone,
      firstByteAt: null,
      provider: null,
      model: null,
      attempts: 0,
      usage: null,
      costUsd: null,
      keyName: exchange.caller?.name ?? null,
    });
  const refuse = (thrown: unknown): void => {
    exchange.refuseThrown(thrown);
    ended(thrown instanceof GatewayError ? thrown.type : 'internal_server_error');
  };
  try {
    serve().then(() => ended(null), refuse);
  } catch (thrown) {
    refuse(thrown);
  }
}
