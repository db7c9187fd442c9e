import { createServer, type Server } from 'node:net';

/**
 * uWebSockets.js listens with SO_REUSEPORT, so a second gateway on one port would silently take half of the traffic
 * (PERFORMANCE 5). The primary process therefore asks twice, and keeps the second answer for as long as it lives:
 * - an ordinary listen tells of anything that already listens on the port;
 * - an abstract socket named after the port (Linux) settles the race between two gateways that start together. It belongs
 *   to the network namespace, as ports do, and goes with the process.
 */
export async function claimPort(host: string, port: number): Promise<PortClaim> {
  const lock = process.platform === 'linux' ? await lockPort(port) : null;
  try {
    await close(await listen(createServer(), { host, port, exclusive: true }));
  } catch (error) {
    if (lock) await close(lock);
    throw portError(error, host, port);
  }
  return { release: () => (lock ? close(lock) : Promise.resolve()) };
}

export interface PortClaim {
  release(): Promise<void>;
}

async function lockPort(port: number): Promise<Server> {
  try {
    const lock = await listen(
      createServer((socket) => socket.destroy()),
      { path: `\0headgate-port-${port}` },
    );
    return lock.unref();
  } catch (error) {
    throw portError(error, '', port);
  }
}

function listen(
  server: Server,
  options: { host?: string; port?: number; path?: string; exclusive?: boolean },
): Promise<Server> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(options, () => resolve(server));
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}

function portError(error: unknown, host: string, port: number): Error {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'EADDRINUSE') {
    return new Error(
      `Port ${port} is taken: another gateway or another program listens there. Stop it, or choose another port with HEADGATE_PORT or server.port.`,
      { cause: error },
    );
  }
  if (code === 'EACCES')
    return new Error(`Port ${port} may not be used by this user. Choose one above 1023.`, { cause: error });
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
    return new Error(`The host ${host} is no address of this machine (server.host, HEADGATE_HOST).`, { cause: error });
  }
  return error instanceof Error ? error : new Error(String(error));
}
