import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

// Below the range that the kernel takes ports from by itself (32768 and up): thousands of connections and servers come and go
// between the moment a port is chosen and the moment its server listens, or while a server is away that is to come back there.
const FIRST = 10_000;
const LAST = 32_000;
const TRIES = 50;

/** A port of 127.0.0.1 on which nothing listens; another process that asks may be given the same one, if rarely. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < TRIES; tries++) {
    const port = randomInt(FIRST, LAST);
    const server = createServer();
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

/** A port that no server is ever given, for providers that cannot be reached: where it is not listened on, nobody will. */
export const DEAD_PORT = 1;
