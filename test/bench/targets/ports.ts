import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

// Below the range that the kernel takes client ports from (32768 and up): thousands of client connections come and go
// between the moment a port is chosen and the moment its server listens.
const FIRST = 20_000;
const LAST = 32_000;
const TRIES = 50;
const POLL_MS = 50;

/** A port of 127.0.0.1 on which nothing listens. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < TRIES; tries++) {
    const port = randomInt(FIRST, LAST);
    const server = net.createServer();
    try {
      server.listen({ port, host: '127.0.0.1', exclusive: true });
      await once(server, 'listening');
    } catch {
      continue;
    }
    server.close();
    await once(server, 'close');
    return port;
  }
  throw new Error(`found no free port between ${FIRST} and ${LAST} in ${TRIES} tries`);
}

/** Waits until `ready` answers true; `what` names it in the error. `gone` ends the wait early, with its reason. */
export async function waitUntil(
  what: string,
  limitMs: number,
  ready: () => Promise<boolean>,
  gone: () => string | undefined,
): Promise<void> {
  const deadline = performance.now() + limitMs;
  for (;;) {
    const reason = gone();
    if (reason !== undefined) throw new Error(`${what}: ${reason}`);
    if (await ready()) return;
    if (performance.now() > deadline) throw new Error(`${what}: not ready after ${limitMs / 1000} s`);
    await sleep(POLL_MS);
  }
}

export async function accepts(port: number): Promise<boolean> {
  const socket = net.connect({ port, host: '127.0.0.1' });
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
