import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 50;

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
