import { once } from 'node:events';
import type { OutgoingHttpHeaders } from 'node:http';
import type { Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { constants, createGzip, type Gzip } from 'node:zlib';
import type { Exchange } from './exchange.ts';

const resetDelayMs = 20;

/**
 * Writes a chunked body straight to the socket: one HTTP chunk and one system call a write, and the means
 * to break it off in every way that a network can. node:http writes the head and the terminator.
 */
export class BodyWriter {
  readonly #exchange: Exchange;
  readonly #splitEvery: number | undefined;
  #socket: Socket | undefined;
  #gzip: Gzip | undefined;
  #chunked = true;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
    this.#splitEvery = exchange.directives.split;
  }

  /** Sends the head at once. */
  async open(status: number, headers: OutgoingHttpHeaders): Promise<void> {
    const { response, request, directives } = this.#exchange;
    this.#socket = response.socket ?? (await this.#socketInTurn());
    if (this.#exchange.closed) return;
    const zipped = directives.gzip === true && /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''));
    this.#chunked = request.httpVersion !== '1.0';
    response.writeHead(status, {
      ...headers,
      ...(zipped ? { 'content-encoding': 'gzip', vary: 'accept-encoding' } : {}),
      ...(this.#chunked ? { 'transfer-encoding': 'chunked' } : { connection: 'close' }),
      ...directives.headers,
    });
    response.flushHeaders();
    this.#exchange.record.status = status;
    if (zipped) this.#gzip = createGzip().on('data', (piece: Buffer) => this.#writeChunk(piece));
  }

  /** A promise when the socket asks to wait, otherwise nothing, so that the fast path costs no turn of the loop. */
  write(data: string | Buffer): Promise<void> | undefined {
    if (this.#exchange.closed || data.length === 0) return undefined;
    if (this.#gzip !== undefined) return this.#writeZipped(this.#gzip, data);
    if (this.#splitEvery !== undefined) return this.#writeSplit(data, this.#splitEvery);
    return this.#writeChunk(data) ? undefined : this.#drained();
  }

  /** The proper end: the terminator of the chunked body. */
  async end(): Promise<void> {
    if (this.#exchange.closed) return;
    if (this.#gzip !== undefined) {
      this.#gzip.end();
      await once(this.#gzip, 'end');
    }
    this.#exchange.response.end();
  }

  /** Closes the connection (FIN) in the middle of the body, after all that was written has left. */
  async tear(): Promise<void> {
    await this.#flushed();
    this.#exchange.brokenOff = true;
    this.#socket?.destroySoon();
    await this.#exchange.whenClosed;
  }

  /** Resets the connection (RST) in the middle of the body, after all that was written has left. */
  async reset(): Promise<void> {
    await this.#flushed();
    // libuv reports data and RST that it finds in one poll as a plain end: give the reader time to take the data first.
    await this.#exchange.sleep(resetDelayMs);
    this.#exchange.brokenOff = true;
    this.#socket?.resetAndDestroy();
    await this.#exchange.whenClosed;
  }

  #writeChunk(data: string | Buffer): boolean {
    const socket = this.#socket;
    if (socket === undefined || !socket.writable) return true;
    const { record } = this.#exchange;
    const length = Buffer.byteLength(data);
    record.bytesSent += length;
    let ready: boolean;
    if (!this.#chunked) {
      ready = socket.write(data);
    } else if (typeof data === 'string') {
      // Plain ASCII is the same in latin1, which costs less to write.
      const encoding = length === data.length ? 'latin1' : 'utf8';
      ready = socket.write(`${length.toString(16)}\r\n${data}\r\n`, encoding);
    } else {
      socket.cork();
      socket.write(`${length.toString(16)}\r\n`);
      socket.write(data);
      ready = socket.write('\r\n');
      socket.uncork();
    }
    if (socket.writableLength > record.maxQueuedBytes) record.maxQueuedBytes = socket.writableLength;
    return ready;
  }

  async #writeSplit(data: string | Buffer, every: number): Promise<void> {
    const bytes = typeof data === 'string' ? Buffer.from(data) : data;
    for (let at = 0; at < bytes.length && !this.#exchange.closed; at += Math.max(1, every)) {
      if (!this.#writeChunk(bytes.subarray(at, at + Math.max(1, every)))) await this.#drained();
      await nextTurn();
    }
  }

  async #writeZipped(gzip: Gzip, data: string | Buffer): Promise<void> {
    gzip.write(data);
    await new Promise<void>((resolve) => gzip.flush(constants.Z_SYNC_FLUSH, resolve));
    if (this.#socket?.writableNeedDrain) await this.#drained();
  }

  async #drained(): Promise<void> {
    const socket = this.#socket;
    if (socket === undefined) return;
    let drained = () => {};
    const whenDrained = new Promise<void>((resolve) => {
      drained = resolve;
    });
    socket.once('drain', drained);
    await Promise.race([whenDrained, this.#exchange.whenClosed]);
    socket.off('drain', drained);
  }

  async #flushed(): Promise<void> {
    const socket = this.#socket;
    if (socket === undefined || this.#exchange.closed) return;
    await Promise.race([new Promise((resolve) => socket.write('', resolve)), this.#exchange.whenClosed]);
    await nextTurn();
  }

  /** A pipelined request gets its socket only when the answers before it are done. */
  async #socketInTurn(): Promise<Socket | undefined> {
    const { response, whenClosed } = this.#exchange;
    await Promise.race([once(response, 'socket'), whenClosed]);
    return response.socket ?? undefined;
  }
}
