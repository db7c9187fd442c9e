import type { FrameSink } from '../dialects/index.ts';

/** Up to here a loop is cheaper than a native call and the view that it needs. */
const SHORT = 48;

/**
 * Collects the frames that come out of one upstream read, to be sent in one write. One buffer serves all streams of the
 * process: it is filled and emptied in one go, and whoever keeps its content takes a copy.
 */
export class FrameBuffer implements FrameSink {
  #bytes: Buffer;
  #length = 0;

  constructor(size = 64 * 1024) {
    this.#bytes = Buffer.allocUnsafeSlow(size);
  }

  get length(): number {
    return this.#length;
  }

  reset(): void {
    this.#length = 0;
  }

  bytes(bytes: Buffer, start = 0, end = bytes.length): void {
    this.#reserve(end - start);
    if (end - start > SHORT) {
      this.#length += bytes.copy(this.#bytes, this.#length, start, end);
      return;
    }
    for (let i = start; i < end; i++) this.#bytes[this.#length++] = bytes[i] ?? 0;
  }

  text(text: string): void {
    // At most three bytes a UTF-16 unit.
    this.#reserve(text.length * 3);
    this.#length += this.#bytes.write(text, this.#length);
  }

  /** The collected bytes; valid until the next `reset`. */
  view(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }
}
