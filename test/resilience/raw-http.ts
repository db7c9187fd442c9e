import { connect, type Socket } from 'node:net';

/** How the body of an answer ended. */
export type BodyEnd =
  /** With the terminator of the chunked body, or with the last byte of its content-length. */
  | 'complete'
  /** The connection closed before that. */
  | 'cut';

export interface RawHead {
  readonly status: number;
  /** Lower-case names; repeated headers are joined by a comma. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface RawRequestOptions {
  readonly method?: string;
  readonly path?: string;
  /** Flat name, value list, sent as it is: doubles and odd spellings are the caller's wish. */
  readonly headers?: readonly (readonly [string, string])[];
  /** Sent with its content-length, unless the headers name a length or a transfer-encoding. */
  readonly body?: string | Buffer;
  /** Gets each piece of the body, unchunked; without it the body is kept for `bytes`. */
  readonly onBody?: (piece: Buffer) => void;
  /** The largest number of bytes that the kernel keeps for us is what it likes; this is what node reads at once. */
  readonly highWaterMark?: number;
}

/**
 * One HTTP/1.1 request over a connection of its own, written and read byte by byte, so that a test sees what was really
 * sent: HTTP chunks, the end of the body, the end of the connection.
 */
export class RawRequest {
  readonly socket: Socket;
  /** Rejects when the connection ends before the head is complete. */
  readonly head: Promise<RawHead>;
  /** Resolves when the body is complete or the connection is gone; never rejects. */
  readonly ended: Promise<BodyEnd>;
  /** Resolves when the connection is closed, with the error code if there was one. */
  readonly closed: Promise<string | null>;
  /** HTTP chunks so far, the terminator not counted. */
  chunks = 0;
  bodyBytes = 0;
  #pieces: Buffer[] = [];
  readonly #onBody: ((piece: Buffer) => void) | undefined;
  readonly #method: string;
  #rest: Buffer = Buffer.alloc(0);
  #state: 'head' | 'size' | 'chunk' | 'after_chunk' | 'trailer' | 'fixed' | 'over' = 'head';
  #left = 0;
  #resolveHead: (head: RawHead) => void = () => undefined;
  #resolveEnd: (end: BodyEnd) => void = () => undefined;
  readonly #watchers = new Set<() => void>();
  #gone = false;

  constructor(port: number, options: RawRequestOptions = {}) {
    const { method = 'GET', path = '/', headers = [], body = '', onBody } = options;
    this.#onBody = onBody;
    this.#method = method;
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true });
    let rejectHead: (error: Error) => void = () => undefined;
    this.head = new Promise((resolve, reject) => {
      this.#resolveHead = resolve;
      rejectHead = reject;
    });
    this.head.catch(() => undefined);
    this.ended = new Promise((resolve) => {
      this.#resolveEnd = resolve;
    });
    this.closed = new Promise((resolve) => {
      let code: string | null = null;
      this.socket.on('error', (error: NodeJS.ErrnoException) => {
        code = error.code ?? error.message;
      });
      this.socket.on('close', () => {
        this.#gone = true;
        rejectHead(new Error(`the connection closed before an answer (${code ?? 'FIN'})`));
        this.#resolveEnd('cut');
        this.#look();
        resolve(code);
      });
    });
    this.socket.on('data', (piece) => this.#feed(piece));
    const given = new Set(headers.map(([name]) => name.toLowerCase()));
    const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`);
    if (!given.has('host')) lines.unshift('host: gateway\r\n');
    const length = Buffer.byteLength(body);
    if (length > 0 && !given.has('content-length') && !given.has('transfer-encoding')) {
      lines.push(`content-length: ${length}\r\n`);
    }
    this.socket.write(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1');
    if (length > 0) this.socket.write(body);
  }

  /** The body so far. */
  get bytes(): Buffer {
    if (this.#pieces.length > 1) this.#pieces = [Buffer.concat(this.#pieces)];
    return this.#pieces[0] ?? Buffer.alloc(0);
  }

  get text(): string {
    return this.bytes.toString('utf8');
  }

  /** Resolves as soon as the condition holds, looked at after every read; rejects when the connection is gone first. */
  until(what: string, condition: (request: this) => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (condition(this)) resolve();
        else if (this.#gone) reject(new Error(`the connection closed before ${what}`));
        else return;
        this.#watchers.delete(look);
      };
      this.#watchers.add(look);
      look();
    });
  }

  untilText(text: string): Promise<void> {
    return this.until(JSON.stringify(text), () => this.bytes.includes(text));
  }

  /** Leaves without a word. */
  leave(): void {
    this.socket.destroy();
  }

  #look(): void {
    for (const look of this.#watchers) look();
  }

  #feed(piece: Buffer): void {
    this.#rest = this.#rest.length === 0 ? piece : Buffer.concat([this.#rest, piece]);
    while (this.#step());
    this.#look();
  }

  /** True when there may be more to take from what was read. */
  #step(): boolean {
    switch (this.#state) {
      case 'head':
        return this.#takeHead();
      case 'size': {
        const line = this.#takeLine();
        if (line === null) return false;
        this.#left = Number.parseInt(line, 16);
        if (Number.isNaN(this.#left)) throw new Error(`not a chunk size: ${JSON.stringify(line)}`);
        if (this.#left > 0) this.chunks++;
        this.#state = this.#left === 0 ? 'trailer' : 'chunk';
        return true;
      }
      case 'chunk':
        return this.#takeBody('after_chunk');
      case 'after_chunk':
        if (this.#takeLine() === null) return false;
        this.#state = 'size';
        return true;
      case 'trailer':
        if (this.#takeLine() === null) return false;
        this.#complete();
        return false;
      case 'fixed':
        return this.#takeBody('over');
      case 'over':
        return false;
      default:
        return this.#state satisfies never;
    }
  }

  #takeHead(): boolean {
    const end = this.#rest.indexOf('\r\n\r\n');
    if (end < 0) return false;
    const [statusLine = '', ...lines] = this.#rest.toString('latin1', 0, end).split('\r\n');
    this.#rest = this.#rest.subarray(end + 4);
    const headers: Record<string, string> = {};
    for (const line of lines) {
      const colon = line.indexOf(':');
      const name = line.slice(0, colon).toLowerCase();
      const value = line.slice(colon + 1).trim();
      headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`;
    }
    const status = Number(statusLine.split(' ')[1]);
    this.#resolveHead({ status, headers });
    if (headers['transfer-encoding'] === 'chunked') this.#state = 'size';
    else {
      this.#left = this.#method === 'HEAD' ? 0 : Number(headers['content-length'] ?? 0);
      this.#state = 'fixed';
      if (this.#left === 0) this.#complete();
    }
    return true;
  }

  #takeBody(next: 'after_chunk' | 'over'): boolean {
    const piece = this.#rest.subarray(0, this.#left);
    this.#rest = this.#rest.subarray(piece.length);
    this.#left -= piece.length;
    this.bodyBytes += piece.length;
    if (piece.length > 0) {
      if (this.#onBody) this.#onBody(piece);
      else this.#pieces.push(piece);
    }
    if (this.#left > 0) return false;
    if (next === 'over') this.#complete();
    else this.#state = next;
    return true;
  }

  #takeLine(): string | null {
    const end = this.#rest.indexOf('\r\n');
    if (end < 0) return null;
    const line = this.#rest.toString('latin1', 0, end);
    this.#rest = this.#rest.subarray(end + 2);
    return line;
  }

  #complete(): void {
    this.#state = 'over';
    this.#resolveEnd('complete');
  }
}
