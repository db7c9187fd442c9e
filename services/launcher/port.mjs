import net from 'node:net';
import { Failure } from './failure.mjs';

/**
 * @param {{ port: number, host: string }} address
 * @returns {Promise<number>} the port that could be listened on, for port 0 the one the system chose
 */
function tryListen({ port, host }) {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once('error', reject);
    // exclusive: not shared through node:cluster; and node sets no SO_REUSEPORT, so a second listener is an error.
    server.listen({ port, host, exclusive: true }, () => {
      const { port: taken } = /** @type {net.AddressInfo} */ (server.address());
      server.close(() => resolve(taken));
    });
  });
}

/** @returns {Promise<number>} a port on 127.0.0.1 that nobody listens on now */
export function freePort() {
  return tryListen({ port: 0, host: '127.0.0.1' });
}

/**
 * @param {{ port: number, host: string }} address
 * @returns {Promise<boolean>} whether it can be listened on now
 */
export function isFree(address) {
  return tryListen(address).then(
    () => true,
    () => false,
  );
}

/**
 * Fails before anything is started where the gateway could not listen. The ingress processes share their port among
 * each other, so without this two gateways might share one without a word.
 *
 * @param {{ port: number, host: string }} address
 */
export async function requireFreePort(address) {
  try {
    await tryListen(address);
  } catch (error) {
    const { code, message } = /** @type {NodeJS.ErrnoException} */ (error);
    const { port, host } = address;
    const other = `Choose another: HEADGATE_PORT=${port === 65535 ? 8080 : Math.max(port + 1, 8080)} npm start`;
    if (code === 'EADDRINUSE') throw new Failure(`Port ${port} is taken: another program listens on it. ${other}`);
    if (code === 'EACCES') throw new Failure(`Port ${port} may not be used by this account. ${other}`);
    if (code === 'EADDRNOTAVAIL') {
      throw new Failure(`This machine has no address ${host}: correct server.host in headgate.yaml.`);
    }
    throw new Failure(`Cannot listen on ${host} port ${port}: ${message}. ${other}`);
  }
}
