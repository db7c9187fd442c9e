import { connect, type Socket } from 'node:net';

/** What came over a raw connection until it ended. */
export interface RawAnswer {
  /** All bytes, the head included. */
  readonly bytes: Buffer;
  readonly head: string;
  /** The body after the head as it came, chunk framing included. */
  readonly rawBody: Buffer;
  /** The HTTP chunks of the body. */
  readonly chunks: readonly Buffer[];
  /** The body without its framing. */
  readonly body: string;
  /** The terminator of the chunked body came. */
  readonly terminated: boolean;
  /** The error code of the connection, such as ECONNRESET; undefined when it was closed with FIN. */
  readonly error: string | undefined;
}

export interface RawConnection {
  readonly socket: Socket;
  /** Resolves as soon as what has come contains this text. */
  until(text: string): Promise<void>;
  readonly answer: Promise<RawAnswer>;
}

export interface RawRequestOptions {
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** Sends one request with `connection: close` over a socket of its own, so that a test sees every byte of the answer. */
export function openRaw(port: number, options: RawRequestOptions): RawConnection {
  const socket = connect({ port, host: '127.0.0.1' });
  const { path = '/v1/chat/completions', method = 'POST', body } = options;
  const text = body === undefined ? '' : JSON.stringify(body);
  const headers = {
    host: 'simulator',
    connection: 'close',
    authorization: 'Bearer sk-test',
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(text)),
    ...options.headers,
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n${text}`);

  const pieces: Buffer[] = [];
  const waiting = new Set<() => void>();
  const soFar = () => Buffer.concat(pieces);
  socket.on('data', (piece) => {
    pieces.push(piece);
    for (const look of waiting) look();
  });
  const answer = new Promise<RawAnswer>((resolve) => {
    let error: string | undefined;
    socket.on('error', (cause: NodeJS.ErrnoException) => {
      error = cause.code ?? cause.message;
    });
    socket.on('close', () => resolve(dissect(soFar(), error)));
  });
  const until = (wanted: string) =>
    new Promise<void>((resolve, reject) => {
      const look = () => {
        if (!soFar().includes(wanted)) return;
        waiting.delete(look);
        resolve();
      };
      waiting.add(look);
      socket.once('close', () => reject(new Error(`The connection closed before '${wanted}' came.`)));
      look();
    });
  return { socket, until, answer };
}

export async function requestRaw(port: number, options: RawRequestOptions): Promise<RawAnswer> {
  return await openRaw(port, options).answer;
}

function dissect(bytes: Buffer, error: string | undefined): RawAnswer {
  const headEnd = bytes.indexOf('\r\n\r\n');
  const head = headEnd < 0 ? bytes.toString() : bytes.toString('latin1', 0, headEnd);
  const rawBody = headEnd < 0 ? Buffer.alloc(0) : bytes.subarray(headEnd + 4);
  const isChunked = /^transfer-encoding: chunked/im.test(head);
  const { chunks, terminated } = isChunked ? unchunk(rawBody) : { chunks: [rawBody], terminated: false };
  return { bytes, head, rawBody, chunks, body: Buffer.concat(chunks).toString(), terminated, error };
}

function unchunk(rawBody: Buffer): { chunks: Buffer[]; terminated: boolean } {
  const chunks: Buffer[] = [];
  for (let at = 0; ; ) {
    const lineEnd = rawBody.indexOf('\r\n', at);
    if (lineEnd < 0) return { chunks, terminated: false };
    const size = Number.parseInt(rawBody.toString('latin1', at, lineEnd), 16);
    if (size === 0) return { chunks, terminated: true };
    const start = lineEnd + 2;
    if (start + size > rawBody.length) return { chunks: [...chunks, rawBody.subarray(start)], terminated: false };
    chunks.push(rawBody.subarray(start, start + size));
    at = start + size + 2;
  }
}
