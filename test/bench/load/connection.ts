import net from 'node:net';
import { ResponseParser } from './response-parser.ts';

export interface ResponseHandlers {
  onHead(status: number): void;
  /** The bytes are valid during the call only: all connections read into one buffer. */
  onBody(bytes: Buffer): void;
  onEnd(): void;
  /** The connection was lost, or the answer was no HTTP, while a request was in flight. */
  onFail(error: Error): void;
}

const readBuffer = Buffer.allocUnsafe(1 << 18);

/** One keep-alive connection with one request in flight at most. It reconnects with the next request when needed. */
export class Connection {
  readonly #port: number;
  readonly #handlers: ResponseHandlers;
  #socket: net.Socket | undefined;
  #parser: ResponseParser;
  #busy = false;
  #stopped = false;
  #paused = false;

  constructor(port: number, handlers: ResponseHandlers) {
    this.#port = port;
    this.#handlers = handlers;
    this.#parser = this.#newParser();
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  /** Sends a whole HTTP request. The answer to the one before must have ended. */
  send(request: Buffer): void {
    if (this.#stopped) return;
    this.#busy = true;
    this.#socket ??= this.#connect();
    this.#socket.write(request);
  }

  /** Stops reading, so that the kernel's buffers fill up and the server is held back. */
  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#socket?.resume();
  }

  /** Resets instead of closing: thousands of ports in TIME_WAIT would be missing in the next phase. */
  stop(): void {
    this.#stopped = true;
    this.#socket?.resetAndDestroy();
  }

  #connect(): net.Socket {
    this.#parser = this.#newParser();
    const socket = net.connect({
      host: '127.0.0.1',
      port: this.#port,
      noDelay: true,
      onread: {
        buffer: readBuffer,
        callback: (count) => {
          this.#read(readBuffer.subarray(0, count));
          return !this.#paused;
        },
      },
    });
    socket.on('error', (error) => this.#lost(socket, error));
    socket.on('close', () => this.#lost(socket, new Error('the server closed the connection')));
    return socket;
  }

  #newParser(): ResponseParser {
    return new ResponseParser({
      onHead: (status) => this.#handlers.onHead(status),
      onBody: (bytes) => this.#handlers.onBody(bytes),
      onEnd: (close) => this.#end(close),
    });
  }

  #read(bytes: Buffer): void {
    if (this.#stopped) return;
    try {
      this.#parser.push(bytes);
    } catch (error) {
      const socket = this.#socket;
      if (socket !== undefined) this.#lost(socket, error instanceof Error ? error : new Error(String(error)));
    }
  }

  #end(close: boolean): void {
    this.#busy = false;
    if (close) {
      this.#socket?.destroy();
      this.#socket = undefined;
    }
    this.#handlers.onEnd();
  }

  #lost(socket: net.Socket, error: Error): void {
    if (socket !== this.#socket) return;
    if (this.#busy && this.#parser.end()) return;
    this.#socket = undefined;
    socket.destroy();
    if (this.#busy && !this.#stopped) {
      this.#busy = false;
      this.#handlers.onFail(error);
    }
  }
}
