import type { GatewayError } from '../errors/index.ts';
import type { AttemptLog } from './attempt-log.ts';
import type { RelaySink } from './sink.ts';

const KEEP_ALIVE = Buffer.from(': keep-alive\n\n');

/** The client's side of a relay: one stream that is opened once, or one answer, and a client that may not keep up. */
export class Client {
  readonly #sink: RelaySink;
  readonly #log: AttemptLog;
  /** Headers of a stream have gone out: what fails from now on is told in it. */
  #opened = false;
  #firstContentAt: number | null = null;
  #paused = false;
  #lastWriteAt = performance.now();

  /** `log` says where the time went until the headers go out. */
  constructor(sink: RelaySink, log: AttemptLog) {
    this.#sink = sink;
    this.#log = log;
  }

  /** It has some of the answer, or all of it, and nothing of that can be taken back. */
  get committed(): boolean {
    return this.#firstContentAt !== null;
  }

  /** `performance.now()`. */
  get firstContentAt(): number | null {
    return this.#firstContentAt;
  }

  /** It does not take bytes now. */
  get paused(): boolean {
    return this.#paused;
  }

  /** `performance.now()`. */
  get lastWriteAt(): number {
    return this.#lastWriteAt;
  }

  /** It takes bytes again; false when it did all the time. */
  drained(): boolean {
    if (!this.#paused) return false;
    this.#paused = false;
    this.#lastWriteAt = performance.now();
    return true;
  }

  /** Content follows at once. */
  commit(provider: string): void {
    this.#firstContentAt ??= performance.now();
    this.#open(provider);
  }

  #open(provider: string | null): void {
    if (this.#opened) return;
    this.#opened = true;
    this.#sink.openStream(provider, this.#log.timing());
  }

  /** Returns whether it takes more; after false the provider has to be paused. */
  write(bytes: Buffer): boolean {
    if (bytes.length > 0) {
      this.#lastWriteAt = performance.now();
      if (!this.#sink.write(bytes)) this.#paused = true;
    }
    return !this.#paused;
  }

  keepAlive(): boolean {
    this.#open(null);
    return this.write(KEEP_ALIVE);
  }

  end(last: Buffer): void {
    this.#sink.endStream(last);
  }

  answer(body: Buffer, provider: string): void {
    this.#firstContentAt = performance.now();
    this.#sink.answer(body, provider, this.#log.timing());
  }

  /** Whatever was begun ends with this error. */
  fail(error: GatewayError): void {
    if (this.#opened) this.#sink.endStream(Buffer.from(`data: ${JSON.stringify(error.toBody())}\n\n`));
    else this.#sink.refuse(error, this.#log.timing());
  }
}
