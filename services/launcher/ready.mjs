import { setTimeout as delay } from 'node:timers/promises';
import { originOf } from './banner.mjs';
import { Failure } from './failure.mjs';

const READY_TIMEOUT_MS = 20_000;

/**
 * @param {{ host: string, port: number }} address
 * @param {() => string[]} [evidence]  what to show besides where it does not become ready
 */
export async function waitUntilReady(address, evidence = () => []) {
  const url = `${originOf(address)}/health/ready`;
  let last = 'no answer';
  for (const deadline = Date.now() + READY_TIMEOUT_MS; Date.now() < deadline; await delay(50)) {
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(2000), headers: { connection: 'close' } });
      last = `${response.status} ${await response.text()}`;
      if (response.status === 200) return;
    } catch {
      last = 'no answer';
    }
  }
  throw new Failure(
    `The gateway was not ready after ${READY_TIMEOUT_MS / 1000} s (${url}: ${last}).\n${evidence().join('\n')}`,
  );
}
