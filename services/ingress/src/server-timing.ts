import type { Timing } from '@headgate/core/relay';

/**
 * `server-timing` (https://www.w3.org/TR/server-timing/), milliseconds: what the gateway itself took, what its providers took,
 * and what was waited for on purpose, up to the headers.
 */
export function serverTiming({ gatewayMs, upstreamMs, waitMs, attempts }: Timing): string {
  const wait = waitMs > 0 ? `wait;dur=${waitMs.toFixed(1)}, ` : '';
  return `gateway;dur=${gatewayMs.toFixed(1)}, upstream;dur=${upstreamMs.toFixed(1)}, ${wait}attempts;desc="${attempts}"`;
}
