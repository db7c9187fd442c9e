/** One request as far as the mock needs it. */
export interface MockRequest {
  readonly path: string;
  readonly body: Buffer;
}

const EMPTY = Buffer.alloc(0);

/**
 * Cuts HTTP/1.1 requests out of the bytes of one connection. Reads of a large body are kept apart until its last byte
 * is there and joined once: joining at every read would copy a 1 MB body sixteen times, on the core of the load.
 */
export class RequestParser {
  #parts: Buffer[] = [];
  #size = 0;
  #wanted = 1;

  push(bytes: Buffer): void {
    this.#parts.push(bytes);
    this.#size += bytes.length;
  }

  /** The next whole request, or undefined until more bytes came. */
  next(): MockRequest | undefined {
    if (this.#size === 0 || this.#size < this.#wanted) return undefined;
    const all = this.#joined();
    const headEnd = all.indexOf('\r\n\r\n');
    if (headEnd < 0) return undefined;
    const head = all.toString('latin1', 0, headEnd + 2);
    const bodyStart = headEnd + 4;
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
    if (length !== undefined) return this.#take(all, head, bodyStart, bodyStart + Number(length));
    if (/\r\ntransfer-encoding: *chunked/i.test(head)) return this.#takeChunked(all, head, bodyStart);
    return this.#take(all, head, bodyStart, bodyStart);
  }

  #take(all: Buffer, head: string, bodyStart: number, end: number): MockRequest | undefined {
    if (all.length < end) {
      this.#wanted = end;
      return undefined;
    }
    this.#keep(all, end);
    return { path: pathOf(head), body: all.subarray(bodyStart, end) };
  }

  #takeChunked(all: Buffer, head: string, bodyStart: number): MockRequest | undefined {
    const parts: Buffer[] = [];
    let at = bodyStart;
    for (;;) {
      const lineEnd = all.indexOf('\r\n', at);
      if (lineEnd < 0) return undefined;
      const size = Number.parseInt(all.toString('latin1', at, lineEnd), 16);
      const chunkEnd = lineEnd + 2 + size;
      if (all.length < chunkEnd + 2) return undefined;
      if (size === 0) {
        this.#keep(all, chunkEnd + 2);
        return { path: pathOf(head), body: Buffer.concat(parts) };
      }
      parts.push(all.subarray(lineEnd + 2, chunkEnd));
      at = chunkEnd + 2;
    }
  }

  #joined(): Buffer {
    const [first] = this.#parts;
    if (this.#parts.length === 1 && first !== undefined) return first;
    const all = Buffer.concat(this.#parts, this.#size);
    this.#parts = [all];
    return all;
  }

  #keep(all: Buffer, from: number): void {
    const rest = all.length > from ? all.subarray(from) : EMPTY;
    this.#parts = rest.length > 0 ? [rest] : [];
    this.#size = rest.length;
    this.#wanted = 1;
  }
}

function pathOf(head: string): string {
  const start = head.indexOf(' ') + 1;
  return head.slice(start, head.indexOf(' ', start));
}
