import { GatewayError } from '@headgate/core/errors';
import type { Principal } from '@headgate/core/identity';
import type { Exchange } from './exchange.ts';

/** So much earlier than the client's own timeout we give up, so that it gets our answer and not its own error. */
const CLIENT_MARGIN_MS = 250;

/** Milliseconds within which the SDK wants an answer; Infinity when it does not say. */
export function clientTimeoutMs(header: string): number {
  const seconds = header === '' ? Number.NaN : Number(header);
  if (!Number.isFinite(seconds) || seconds <= 0) return Number.POSITIVE_INFINITY;
  return Math.max(seconds * 500, seconds * 1000 - CLIENT_MARGIN_MS);
}

const nothingDone = {
  firstByteAt: null,
  provider: null,
  model: null,
  attempts: 0,
  usage: null,
  costUsd: null,
} as const;

/** A request that no provider was asked for, as telemetry is told of it. */
export function refusedEnd(exchange: Exchange, thrown: unknown, principal: Principal | null) {
  return {
    ...nothingDone,
    endedAt: performance.now(),
    status: exchange.status,
    errorType: thrown instanceof GatewayError ? thrown.type : 'internal_server_error',
    clientAborted: false,
    keyName: principal?.name ?? null,
  };
}

/** The same of one whose client left before. */
export function goneEnd(principal: Principal | null) {
  return {
    ...nothingDone,
    endedAt: performance.now(),
    status: 499,
    errorType: null,
    clientAborted: true,
    keyName: principal?.name ?? null,
  };
}
