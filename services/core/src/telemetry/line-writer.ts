/**
 * Lines collected in memory and written to a file descriptor in large pieces. Writes happen on the thread pool, so that a
 * reader of our standard output that stalls cannot stall streams; at exit the rest is written synchronously.
 */
import { write, writeSync } from 'node:fs';

/** A write costs tens of microseconds wherever it runs: few and large ones. */
const FLUSH_BYTES = 65_536;
const BUFFER_BYTES = 4 * FLUSH_BYTES;
/** UTF-8 of one UTF-16 unit at most. */
const BYTES_PER_CHARACTER = 3;
const FLUSH_MS = 100;
const RETRY_MS = 10;
/** Characters kept while nobody reads, beside the buffers; beyond that lines are dropped and counted. */
const LONGEST_BACKLOG = 8 * 1024 * 1024;
/** How long the exit waits for a write that is under way on the thread pool, which cannot be seen to end any more. */
const EXIT_GRACE_MS = 20;

export interface LineSink {
  append(line: string): void;
  /** Resolves when everything appended so far is written or lost. */
  flush(): Promise<void>;
}

/**
 * A line becomes bytes as it comes: kept as text, the many pieces it is put together from would outlive a scavenge, and each
 * be copied by it. Two buffers take turns, one is filled while the other is written; what fits into neither waits as text.
 */
export class LineWriter implements LineSink {
  readonly #fd: number;
  #filling = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  #other = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  /** Bytes in `#filling`. */
  #filled = 0;
  /** Lines behind those of `#filling`. */
  #backlog = '';
  #writing: Buffer | null = null;
  #timer: NodeJS.Timeout | null = null;
  #dropped = 0;
  #broken = false;
  #waiting: (() => void)[] = [];

  constructor(fd: number) {
    this.#fd = fd;
    process.on('exit', () => this.#writeRest());
  }

  append(line: string): void {
    if (this.#broken) return;
    if (this.#backlog !== '' || line.length * BYTES_PER_CHARACTER > BUFFER_BYTES - this.#filled) this.#putOff(line);
    else this.#filled += this.#filling.write(line, this.#filled);
    if (this.#filled >= FLUSH_BYTES || this.#backlog !== '') this.#start();
    else if (this.#timer === null) this.#timer = setTimeout(this.#onTimer, FLUSH_MS).unref();
  }

  #putOff(line: string): void {
    if (this.#backlog.length > LONGEST_BACKLOG) this.#dropped++;
    else this.#backlog += line;
  }

  flush(): Promise<void> {
    this.#start();
    if (this.#writing === null) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  readonly #onTimer = (): void => {
    this.#timer = null;
    this.#start();
  };

  get #isEmpty(): boolean {
    return this.#filled === 0 && this.#backlog === '';
  }

  #start(): void {
    if (this.#writing !== null || this.#isEmpty) return;
    this.#writing = this.#take();
    this.#write();
  }

  /** What came first: valid until the next but one. */
  #take(): Buffer {
    if (this.#filled > 0) {
      const bytes = this.#filling.subarray(0, this.#filled);
      [this.#filling, this.#other] = [this.#other, this.#filling];
      this.#filled = 0;
      return bytes;
    }
    const bytes = Buffer.from(this.#backlog);
    this.#backlog = '';
    return bytes;
  }

  #write(): void {
    if (this.#writing !== null) write(this.#fd, this.#writing, this.#onWritten);
  }

  readonly #onWritten = (error: NodeJS.ErrnoException | null, written: number): void => {
    if (error?.code === 'EAGAIN') {
      setTimeout(() => this.#write(), RETRY_MS);
      return;
    }
    if (error !== null) {
      // Nobody is left to read (EPIPE), or the disk is full: logging must not take the service down.
      this.#broken = error.code === 'EPIPE' || error.code === 'EBADF';
      this.#writing = null;
    } else if (this.#writing !== null && written < this.#writing.length) {
      this.#writing = this.#writing.subarray(written);
      this.#write();
      return;
    } else {
      this.#writing = null;
    }
    if (this.#dropped > 0) {
      this.#backlog += `{"time":"${new Date().toISOString()}","level":"warn","pid":${process.pid},"msg":"log lines dropped","lines":${this.#dropped}}\n`;
      this.#dropped = 0;
    }
    if (this.#isEmpty || this.#broken) for (const resolve of this.#waiting.splice(0)) resolve();
    else if (this.#waiting.length > 0 || this.#backlog !== '' || this.#filled >= FLUSH_BYTES) this.#start();
    // A write a line would cost more than all the rest of the line.
    else this.#timer ??= setTimeout(this.#onTimer, FLUSH_MS).unref();
  };

  #writeRest(): void {
    if (this.#broken) return;
    if (this.#writing !== null) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, EXIT_GRACE_MS);
    let rest = Buffer.concat([this.#filling.subarray(0, this.#filled), Buffer.from(this.#backlog)]);
    this.#filled = 0;
    this.#backlog = '';
    for (let tries = 0; rest.length > 0 && tries < 100; ) {
      try {
        rest = rest.subarray(writeSync(this.#fd, rest));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return;
        tries++;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS);
      }
    }
  }
}

const writers = new Map<number, LineWriter>();

/** The one writer of a descriptor: two would tear each other's lines. */
export function lineWriter(fd: number): LineWriter {
  let writer = writers.get(fd);
  if (writer === undefined) {
    writer = new LineWriter(fd);
    writers.set(fd, writer);
  }
  return writer;
}
