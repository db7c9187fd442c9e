import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';

/** A provider that answers each request with the same bytes, in one write: what one read of the gateway brings. */
export interface ReplayProvider {
  readonly port: number;
  readonly baseUrl: string;
  close(): Promise<void>;
}

export async function startReplayProvider(answer: Buffer): Promise<ReplayProvider> {
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    let request = '';
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    socket.on('data', (piece) => {
      request += piece.toString('latin1');
      const head = request.indexOf('\r\n\r\n');
      const length = Number(/content-length: (\d+)/i.exec(request)?.[1]);
      if (head < 0 || request.length < head + 4 + length) return;
      request = '';
      socket.write(answer);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the replay provider has no port');
  return {
    port: address.port,
    baseUrl: `http://127.0.0.1:${address.port}/v1`,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** A chunked answer with one HTTP chunk an event, as providers send them. */
export function streamedAnswer(events: readonly string[]): Buffer {
  const chunks = events.map((event) => {
    const bytes = Buffer.from(`data: ${event}\n\n`);
    return `${bytes.length.toString(16)}\r\n${bytes.toString('latin1')}\r\n`;
  });
  const head = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n';
  return Buffer.from(`${head}${chunks.join('')}0\r\n\r\n`, 'latin1');
}
