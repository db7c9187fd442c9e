import { createServer as createHttp1 } from 'node:http';
import { createServer as createHttp2, type ServerHttp2Session } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import type { AdminRequest, AdminResponse } from './access.ts';

/** The first bytes of a client that speaks HTTP/2 without having asked; no request of HTTP/1 begins like that. */
const HTTP2 = Buffer.from('PRI');
const SILENCE_MS = 10_000;
const IDLE_MS = 120_000;
const CLOSE_MS = 2_000;

export interface Listener {
  readonly port: number;
  /** No new connections; requests that run end, and what has not ended after two seconds is cut. */
  close(): Promise<void>;
}

/** Serves HTTP/1.1 and HTTP/2 without TLS (as gRPC wants it) on one port. Rejects when it cannot listen. */
export async function listen(
  host: string,
  port: number,
  handle: (request: AdminRequest, response: AdminResponse) => void,
): Promise<Listener> {
  const http1 = createHttp1(handle);
  const http2 = createHttp2(handle).setTimeout(IDLE_MS);
  const sessions = new Set<ServerHttp2Session>();
  http2.on('session', (session) => {
    sessions.add(session);
    session.on('close', () => sessions.delete(session));
  });
  const undecided = new Set<Socket>();
  // The HTTP/1 server listens, for only one that does enforces its timeouts; what it does with a connection comes second.
  const serveHttp1 = http1.listeners('connection');
  http1.removeAllListeners('connection');
  http1.on('connection', (socket: Socket) => {
    undecided.add(socket);
    socket.on('close', () => undecided.delete(socket));
    whenKnown(socket, (isHttp2) => {
      undecided.delete(socket);
      if (isHttp2) {
        // Of HTTP/1 a client may end its side and still wait for the answer.
        socket.allowHalfOpen = false;
        http2.emit('connection', socket);
      } else for (const serve of serveHttp1) serve.call(http1, socket);
    });
  });
  await new Promise<void>((resolve, reject) => {
    http1.once('error', reject);
    http1.listen(port, host, () => resolve());
  });

  return {
    port: (http1.address() as AddressInfo).port,
    close: async () => {
      const closed = new Promise<void>((resolve) => http1.close(() => resolve()));
      for (const socket of undecided) socket.destroy();
      for (const session of sessions) session.close();
      const timer = setTimeout(() => {
        http1.closeAllConnections();
        for (const session of sessions) session.destroy();
      }, CLOSE_MS);
      await closed;
      clearTimeout(timer);
    },
  };
}

/** Calls back once the first bytes tell the protocol; they are still to be read then. */
function whenKnown(socket: Socket, decide: (isHttp2: boolean) => void): void {
  const quit = () => socket.destroy();
  let seen = Buffer.alloc(0);
  const look = (chunk: Buffer) => {
    seen = Buffer.concat([seen, chunk]);
    const begins = seen.subarray(0, HTTP2.length);
    if (begins.length < HTTP2.length && HTTP2.subarray(0, begins.length).equals(begins)) return;
    socket.pause();
    socket.off('data', look);
    socket.off('timeout', quit);
    socket.off('error', quit);
    socket.off('end', quit);
    socket.setTimeout(0);
    socket.unshift(seen);
    const isHttp2 = begins.equals(HTTP2);
    decide(isHttp2);
    // An HTTP/2 session takes what was put back by itself.
    if (!isHttp2) socket.resume();
  };
  socket.setTimeout(SILENCE_MS, quit);
  socket.on('error', quit);
  socket.on('end', quit);
  socket.on('data', look);
}
