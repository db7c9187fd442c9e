import type { OutgoingHttpHeaders } from 'node:http';
import { BodyWriter } from './bodyWriter.ts';
import type { Exchange } from './exchange.ts';
import { type FramePlace, TokenFaults } from './tokenFaults.ts';

/**
 * One server-sent event as text, blank line included, or one frame of a binary stream.
 * A `token` frame carries one token: it is paced and counted.
 */
export interface Frame {
  readonly place: FramePlace;
  readonly text: string | Buffer;
}

export interface EventStream {
  readonly headers: OutgoingHttpHeaders;
  readonly frames: Iterable<Frame>;
  /** The dialect's way to say in the middle of a stream that it failed. */
  readonly errorFrame: () => string | Buffer;
}

/** Events that are due together leave in one write, up to about this many characters or bytes. */
const batchCharacters = 16_384;
/** Behind schedule by more than this (a slow reader), the schedule starts anew instead of catching up in a burst. */
const maxLagMs = 1000;

/** Plays a stream at the exchange's pace with all the faults its directives ask for. */
export async function playEventStream(exchange: Exchange, stream: EventStream): Promise<void> {
  const { directives, record } = exchange;
  record.stream = true;
  if (directives.slow !== undefined) await exchange.sleep(directives.slow);
  const writer = new BodyWriter(exchange);
  await writer.open(200, {
    'content-type': directives['content-type'] ?? 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache',
    ...stream.headers,
  });
  if (directives.reset === 'after') return await writer.reset();
  if (directives.silent) return await exchange.whenClosed;
  await playFrames(exchange, stream, writer);
}

async function playFrames(exchange: Exchange, stream: EventStream, writer: BodyWriter): Promise<void> {
  const faults = new TokenFaults(exchange, writer, stream.errorFrame);
  const schedule = new Schedule(exchange);
  const batch = new Batch(exchange, writer);
  let tokens = 0;

  await schedule.untilFirstToken();
  for (const frame of stream.frames) {
    if (exchange.closed) return;
    let text = frame.text;
    if (faults.due(frame.place, tokens)) {
      await batch.flush();
      const struck = await faults.strike(frame.place, tokens, text);
      if (struck === 'over') return;
      if (struck === 'end') return await writer.end();
      text = struck.text;
    }
    if (frame.place === 'token') {
      tokens++;
      const wait = schedule.waitForNextToken();
      if (wait > 0) {
        await batch.flush();
        await exchange.sleep(wait);
        if (exchange.closed) return;
      }
    }
    batch.add(text, frame.place === 'token');
    if (batch.full) await batch.flush();
  }
  await batch.flush();
  exchange.played = true;
  await writer.end();
}

/** When each token is due. Times are those of performance.now(). */
class Schedule {
  readonly #exchange: Exchange;
  readonly #intervalMs: number;
  #due: number;

  constructor(exchange: Exchange) {
    const { ttftMs, tokensPerSecond } = exchange.pace;
    this.#exchange = exchange;
    this.#intervalMs = tokensPerSecond > 0 ? 1000 / tokensPerSecond : 0;
    this.#due = exchange.arrivedAt + ttftMs;
  }

  async untilFirstToken(): Promise<void> {
    if (this.#exchange.pace.ttftMs > 0) await this.#exchange.sleep(this.#due - performance.now());
  }

  /** Milliseconds until the next token is due, 0 if it is; each call is one token. */
  waitForNextToken(): number {
    if (this.#intervalMs === 0) return 0;
    const wait = this.#due - performance.now();
    if (wait < -maxLagMs) this.#due -= wait;
    this.#due += this.#intervalMs;
    // Timers count whole milliseconds: what is due within half of one is due.
    return wait > 0.5 ? wait : 0;
  }
}

/** Gathers events into one write, in the line style that the directives ask for. */
class Batch {
  readonly #exchange: Exchange;
  readonly #writer: BodyWriter;
  readonly #commentEvery: number | undefined;
  #text = '';
  #binary: Buffer[] = [];
  #binaryBytes = 0;
  #tokens = 0;
  #events = 0;

  constructor(exchange: Exchange, writer: BodyWriter) {
    this.#exchange = exchange;
    this.#writer = writer;
    this.#commentEvery = exchange.directives.comments;
  }

  get full(): boolean {
    return this.#text.length + this.#binaryBytes >= batchCharacters;
  }

  add(text: string | Buffer, isToken: boolean): void {
    if (isToken) this.#tokens++;
    if (typeof text !== 'string') {
      this.#binary.push(text);
      this.#binaryBytes += text.length;
      return;
    }
    if (this.#commentEvery !== undefined && this.#events++ % Math.max(1, this.#commentEvery) === 0)
      this.#text += this.#styled(': ping\n\n');
    this.#text += this.#styled(text);
  }

  flush(): Promise<void> | undefined {
    if (this.#text === '' && this.#binaryBytes === 0) return undefined;
    const { record } = this.#exchange;
    // A stream is either text or binary.
    const data = this.#binaryBytes > 0 ? Buffer.concat(this.#binary) : this.#text;
    if (this.#tokens > 0) record.firstTokenAt ??= Date.now();
    record.tokensSent += this.#tokens;
    this.#text = '';
    this.#binary = [];
    this.#binaryBytes = 0;
    this.#tokens = 0;
    return this.#writer.write(data);
  }

  #styled(text: string): string {
    const { crlf, nospace } = this.#exchange.directives;
    const spaced = nospace ? text.replace(/^(data|event): /gm, '$1:') : text;
    return crlf ? spaced.replaceAll('\n', '\r\n') : spaced;
  }
}
