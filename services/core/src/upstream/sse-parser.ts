const LF = 0x0a;
const CR = 0x0d;
const COLON = 0x3a;
const SPACE = 0x20;
const NEWLINE = Buffer.from([LF]);
/** An event larger than this is no stream of tokens any more. Images in a chunk are a few megabytes at most. */
const MAX_EVENT_BYTES = 32 * 1024 * 1024;
/** What a line costs beside its bytes: an event of empty lines must come to an end as well. */
const LINE_BYTES = 64;

export interface SseHandler {
  /** `data` lines joined by LF; the buffer belongs to the caller. `name` is the `event` field, '' without one. */
  onEvent(data: Buffer, name: string): void;
}

/**
 * Server-sent events from bytes, cut anywhere: inside a line, a UTF-8 sequence or a CRLF
 * (WHATWG HTML, 9.2.6 "Interpreting an event stream"). Fields other than `data` and `event`, and comments, are skipped.
 * Throws a RangeError when one event passes 32 MiB.
 */
export class SseParser {
  readonly #handler: SseHandler;
  /** The pieces of a line that has not ended yet. */
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  /** The `data` lines of an event that has not ended yet. */
  #data: Buffer[] = [];
  #dataBytes = 0;
  #name = '';
  #afterCr = false;
  #first = true;

  constructor(handler: SseHandler) {
    this.#handler = handler;
  }

  feed(chunk: Buffer): void {
    let at = 0;
    if (this.#afterCr) {
      this.#afterCr = false;
      if (chunk[0] === LF) at = 1;
    }
    // Each is searched for again only behind the last one found: most streams have no CRs at all.
    let cr = chunk.indexOf(CR, at);
    let lf = chunk.indexOf(LF, at);
    while (at < chunk.length) {
      if (cr >= 0 && cr < at) cr = chunk.indexOf(CR, at);
      // The empty line behind each event needs no search.
      if (lf >= 0 && lf < at) lf = chunk[at] === LF ? at : chunk.indexOf(LF, at);
      const end = cr >= 0 && (lf < 0 || cr < lf) ? cr : lf;
      if (end < 0) {
        this.#keep(chunk.subarray(at));
        return;
      }
      this.#line(chunk, at, end);
      at = end + 1;
      if (end === cr) {
        if (at === chunk.length) this.#afterCr = true;
        else if (chunk[at] === LF) at++;
      }
    }
  }

  #keep(piece: Buffer): void {
    this.#pending.push(piece);
    this.#pendingBytes += piece.length;
    if (this.#pendingBytes + this.#dataBytes > MAX_EVENT_BYTES) throw tooLarge();
  }

  #line(chunk: Buffer, start: number, end: number): void {
    if (this.#pending.length === 0) {
      this.#field(chunk, start, end);
      return;
    }
    this.#keep(chunk.subarray(start, end));
    const line = Buffer.concat(this.#pending);
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#field(line, 0, line.length);
  }

  #field(bytes: Buffer, lineStart: number, end: number): void {
    let start = lineStart;
    if (this.#first) {
      this.#first = false;
      if (end - start >= 3 && bytes[start] === 0xef && bytes[start + 1] === 0xbb && bytes[start + 2] === 0xbf)
        start += 3;
    }
    if (start === end) {
      this.#dispatch();
      return;
    }
    if (isField(bytes, start, end, 'data')) this.#append(bytes.subarray(valueStart(bytes, start + 4, end), end));
    else if (isField(bytes, start, end, 'event')) {
      this.#name = bytes.toString('utf8', valueStart(bytes, start + 5, end), end);
    }
  }

  #append(value: Buffer): void {
    if (this.#data.length > 0) this.#data.push(NEWLINE);
    this.#data.push(value);
    this.#dataBytes += value.length + LINE_BYTES;
    if (this.#dataBytes > MAX_EVENT_BYTES) throw tooLarge();
  }

  #dispatch(): void {
    const name = this.#name;
    this.#name = '';
    if (this.#data.length === 0) return;
    const data = this.#data.length === 1 && this.#data[0] ? this.#data[0] : Buffer.concat(this.#data);
    this.#data = [];
    this.#dataBytes = 0;
    if (data.length > 0) this.#handler.onEvent(data, name);
  }
}

const tooLarge = (): RangeError => new RangeError(`a stream event exceeds ${MAX_EVENT_BYTES} bytes`);

function isField(bytes: Buffer, start: number, end: number, name: string): boolean {
  const after = start + name.length;
  if (after > end || (after < end && bytes[after] !== COLON)) return false;
  for (let i = 0; i < name.length; i++) if (bytes[start + i] !== name.charCodeAt(i)) return false;
  return true;
}

/** Behind the colon and one optional space. */
function valueStart(bytes: Buffer, colon: number, end: number): number {
  if (colon >= end) return end;
  return bytes[colon + 1] === SPACE && colon + 1 < end ? colon + 2 : colon + 1;
}
