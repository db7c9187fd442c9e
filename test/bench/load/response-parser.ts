export interface ResponseEvents {
  onHead(status: number): void;
  /** The bytes are valid during the call only. */
  onBody(bytes: Buffer): void;
  /** `close` says that the server will not take another request on this connection. */
  onEnd(close: boolean): void;
}

type State = 'head' | 'counted' | 'chunk-size' | 'chunk' | 'chunk-end' | 'trailer' | 'until-close';

/** Incremental HTTP/1.1 response parser (RFC 9112): content-length, chunked, and bodies that end with the connection. */
export class ResponseParser {
  readonly #events: ResponseEvents;
  #state: State = 'head';
  /** An unfinished head or line. */
  #text = '';
  #left = 0;
  #close = false;

  constructor(events: ResponseEvents) {
    this.#events = events;
  }

  /** Throws on bytes that are no HTTP response. */
  push(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length) at = this.#step(bytes, at);
  }

  /** Tells the parser that the connection has ended; returns whether that was a proper end of the response. */
  end(): boolean {
    if (this.#state !== 'until-close') return false;
    this.#finish(true);
    return true;
  }

  #step(bytes: Buffer, at: number): number {
    switch (this.#state) {
      case 'head':
        return this.#head(bytes, at);
      case 'counted':
      case 'chunk':
        return this.#body(bytes, at);
      case 'chunk-end': {
        if (bytes[at] === 10) this.#state = 'chunk-size';
        return at + 1;
      }
      case 'chunk-size':
      case 'trailer':
        return this.#line(bytes, at);
      case 'until-close':
        this.#events.onBody(bytes.subarray(at));
        return bytes.length;
    }
  }

  #head(bytes: Buffer, at: number): number {
    const had = this.#text.length;
    this.#text += bytes.toString('latin1', at, bytes.length);
    const end = this.#text.indexOf('\r\n\r\n', Math.max(0, had - 3));
    if (end < 0) return bytes.length;
    const head = this.#text.slice(0, end + 2);
    this.#text = '';
    if (!head.startsWith('HTTP/1.')) throw new Error('the server did not answer with HTTP');
    const status = Number(head.slice(9, 12));
    if (status !== 100) this.#begin(status, head);
    return at + end + 4 - had;
  }

  #begin(status: number, head: string): void {
    this.#close = /\r\nconnection: *close/i.test(head);
    this.#events.onHead(status);
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
    if (/\r\ntransfer-encoding: *chunked/i.test(head)) {
      this.#state = 'chunk-size';
    } else if (length !== undefined) {
      this.#left = Number(length);
      this.#state = 'counted';
      if (this.#left === 0) this.#finish(false);
    } else if (status === 204 || status === 304) {
      this.#finish(false);
    } else {
      this.#state = 'until-close';
    }
  }

  #body(bytes: Buffer, at: number): number {
    const end = Math.min(bytes.length, at + this.#left);
    this.#left -= end - at;
    this.#events.onBody(bytes.subarray(at, end));
    if (this.#left === 0) {
      if (this.#state === 'counted') this.#finish(false);
      else this.#state = 'chunk-end';
    }
    return end;
  }

  #line(bytes: Buffer, at: number): number {
    const end = bytes.indexOf(10, at);
    this.#text += bytes.toString('latin1', at, end < 0 ? bytes.length : end);
    if (end < 0) return bytes.length;
    const line = this.#text;
    this.#text = '';
    if (this.#state === 'trailer') {
      if (line === '' || line === '\r') this.#finish(false);
      return end + 1;
    }
    this.#left = Number.parseInt(line, 16);
    if (Number.isNaN(this.#left)) throw new Error('the server sent a bad chunk size');
    this.#state = this.#left === 0 ? 'trailer' : 'chunk';
    return end + 1;
  }

  #finish(close: boolean): void {
    this.#state = 'head';
    this.#events.onEnd(close || this.#close);
  }
}
