const NEWLINE = 0x0a;
const RETURN = 0x0d;
const BOM = Buffer.from([0xef, 0xbb, 0xbf]);

/** One line of a JSONL file that is not blank. */
export interface InputLine {
  /** 1-based; blank lines count. */
  readonly number: number;
  /** Its first byte in the file. */
  readonly from: number;
  /** The first byte behind it, its end of line included. */
  readonly to: number;
  /** Without its end of line; null where it is longer than allowed. */
  readonly bytes: Buffer | null;
}

/**
 * The lines of a file that comes in pieces of any size; ends of line are LF or CRLF, a byte order mark is passed over.
 * `from` and `firstLine` say where in the file the pieces begin. Holds one line at a time, and of a longer one than `longest` nothing.
 */
export async function* inputLines(
  pieces: AsyncIterable<Buffer>,
  longest: number,
  { from = 0, firstLine = 1 }: { readonly from?: number; readonly firstLine?: number } = {},
): AsyncGenerator<InputLine> {
  let number = firstLine;
  let begin = from;
  let held: Buffer[] = [];
  let heldBytes = 0;
  const line = (end: Buffer, to: number): InputLine | null => {
    const parts = [...held, end];
    const length = heldBytes + end.length;
    held = [];
    heldBytes = 0;
    const found = { number: number++, from: begin, to };
    begin = to;
    // One more, for the carriage return.
    if (length > longest + 1) return { ...found, bytes: null };
    const bytes = trimmed(parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts), found.from === 0);
    if (isBlank(bytes)) return null;
    return { ...found, bytes: bytes.length > longest ? null : bytes };
  };
  let at = from;
  for await (const piece of pieces) {
    let start = 0;
    for (let end = piece.indexOf(NEWLINE); end >= 0; end = piece.indexOf(NEWLINE, start)) {
      const found = line(piece.subarray(start, end), at + end + 1);
      start = end + 1;
      if (found !== null) yield found;
    }
    at += piece.length;
    if (start === piece.length) continue;
    heldBytes += piece.length - start;
    if (heldBytes > longest + 1) held = [];
    // The piece may be overwritten before its line is whole.
    else held.push(Buffer.from(piece.subarray(start)));
  }
  if (heldBytes === 0) return;
  const last = line(Buffer.alloc(0), at);
  if (last !== null) yield last;
}

function trimmed(bytes: Buffer, isFirst: boolean): Buffer {
  const begin = isFirst && bytes.subarray(0, BOM.length).equals(BOM) ? BOM.length : 0;
  const end = bytes[bytes.length - 1] === RETURN ? bytes.length - 1 : bytes.length;
  return bytes.subarray(begin, Math.max(begin, end));
}

const isBlank = (bytes: Buffer): boolean => bytes.every((byte) => byte === 0x20 || byte === 0x09 || byte === RETURN);
