import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GatewayError } from '@headgate/core/errors';
import { ulid } from 'ulid';

/** As much as uWebSockets.js reads at once. */
const SEGMENT_BYTES = 512 * 1024;
/** So much of one body is held in memory; what else waits, waits in a file. */
const SEGMENTS_IN_MEMORY = 16;
/** Small enough for memory that was used before: fresh pages for every chunk would cost more than everything else. */
const PIECE_BYTES = 64 * 1024;
const POOLED_SEGMENTS = 32;

const pool: Buffer[] = [];

/**
 * What has come in of a body and is not taken yet. uWebSockets.js pauses a connection only when the kernel has less than
 * one full read left; from a client that is as fast as we are, everything comes although it is paused. So that a large
 * body never stands in memory, what is beyond a few megabytes goes to a nameless temporary file.
 */
export class BodyQueue {
  readonly #segments: { readonly store: Buffer; start: number; end: number }[] = [];
  #spill: Spill | null = null;

  get empty(): boolean {
    return this.#segments.length === 0 && (this.#spill === null || this.#spill.empty);
  }

  /** Copies: the chunk is valid only during the call. Throws a GatewayError when nothing can be put on the disk. */
  put(chunk: ArrayBuffer): void {
    const bytes = new Uint8Array(chunk);
    // What comes behind something that waits in the file has to wait there, too.
    if (this.#segments.length >= SEGMENTS_IN_MEMORY || this.#spill?.empty === false) {
      try {
        this.#spill ??= new Spill();
        this.#spill.put(bytes);
      } catch (cause) {
        throw noRoom(cause);
      }
      return;
    }
    for (let at = 0; at < bytes.length; ) {
      let last = this.#segments.at(-1);
      if (last === undefined || last.end === SEGMENT_BYTES) {
        last = { store: pool.pop() ?? Buffer.allocUnsafeSlow(SEGMENT_BYTES), start: 0, end: 0 };
        this.#segments.push(last);
      }
      const part = bytes.subarray(at, at + SEGMENT_BYTES - last.end);
      last.store.set(part, last.end);
      last.end += part.length;
      at += part.length;
    }
  }

  /** The next piece, whose memory is the caller's own; null where there is none. */
  take(): Buffer | null {
    const first = this.#segments[0];
    if (first === undefined) return this.#spill?.take() ?? null;
    const piece = Buffer.allocUnsafeSlow(Math.min(PIECE_BYTES, first.end - first.start));
    first.start += first.store.copy(piece, 0, first.start, first.end);
    if (first.start === first.end) {
      this.#segments.shift();
      release(first.store);
    }
    return piece;
  }

  /** To be called at the end, whatever the end is. */
  close(): void {
    for (const { store } of this.#segments.splice(0)) release(store);
    this.#spill?.close();
    this.#spill = null;
  }
}

function release(store: Buffer): void {
  if (pool.length < POOLED_SEGMENTS) pool.push(store);
}

/** The way out is the operator's: the container's root is read-only, and nothing is mounted at its temporary folder. */
function noRoom(cause: unknown): GatewayError {
  const why = (cause as NodeJS.ErrnoException).code ?? 'unknown error';
  return new GatewayError(
    'internal_server_error',
    `The gateway has no room for an upload of this size: its temporary folder ${tmpdir()} cannot be written (${why}). Mount a writable volume there.`,
    { code: 'no_temporary_space', cause },
  );
}

/** A file without a name: it is gone with the process, however that ends. */
class Spill {
  readonly #fd: number;
  #written = 0;
  #taken = 0;

  constructor() {
    const path = join(tmpdir(), `headgate-upload-${ulid()}`);
    this.#fd = openSync(path, 'wx+', 0o600);
    unlinkSync(path);
  }

  get empty(): boolean {
    return this.#taken === this.#written;
  }

  put(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const count = writeSync(this.#fd, bytes, at, bytes.length - at, this.#written);
      at += count;
      this.#written += count;
    }
  }

  take(): Buffer | null {
    if (this.empty) return null;
    const piece = Buffer.allocUnsafeSlow(Math.min(PIECE_BYTES, this.#written - this.#taken));
    const count = readSync(this.#fd, piece, 0, piece.length, this.#taken);
    if (count === 0) throw new Error('the temporary file is shorter than what was written');
    this.#taken += count;
    // The file need not grow with every burst of one body.
    if (this.empty) {
      this.#written = 0;
      this.#taken = 0;
    }
    return count === piece.length ? piece : piece.subarray(0, count);
  }

  close(): void {
    closeSync(this.#fd);
  }
}
