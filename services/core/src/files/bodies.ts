/** All that comes in is cut into blocks of this size, but for the last one of a file. */
export const BLOCK_BYTES = 256 * 1024;

/**
 * Where the bytes of files are kept. A body is written once, by blocks, and has a name that no other body ever had; who
 * owns it, whether it may be seen and when it ends is known elsewhere (FileIndex).
 */
export interface Bodies {
  open(name: string): BodyWriter;
  /** From `from` to the end, in pieces of at most a block. Throws when anything of it is missing. */
  read(name: string, bytes: number, from: number): AsyncIterable<Buffer>;
  /** `bytes`: how many there are at most. Harmless when repeated. */
  remove(name: string, bytes: number, finished: boolean): Promise<void>;
}

export interface BodyWriter {
  /** A full block, or the last one. The caller may overwrite it once this has resolved. */
  append(block: Buffer): Promise<void>;
  /** Resolves when the whole body can be read. It may end by itself at `untilMs`, milliseconds since the epoch, not before. */
  finish(untilMs: number): Promise<void>;
}
