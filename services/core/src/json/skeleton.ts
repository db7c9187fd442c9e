import { hasLineBreaks } from './line-breaks.ts';
import { stringEnd } from './scan.ts';

/** Arrays and objects inside one another beyond this are refused: what reads or writes JSON would run out of stack. */
export const MAX_DEPTH = 1_000;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** Strings longer than this lose their middle in the skeleton; their first bytes stay, for media types and messages. */
const KEPT_BYTES = 512;
/** Below this size a plain parse costs less than looking for what to leave out. */
const SMALL_BODY = 16 * 1024;

export interface Skeleton {
  /** JSON text of the same structure, with long strings shortened. */
  readonly text: string;
  /** Deepest nesting of arrays and objects. */
  readonly depth: number;
  /** False when nothing was left out: then the parsed text is the document. */
  readonly shortened: boolean;
  /** A line break stands inside a string that was shortened, where parsing the skeleton does not come across it. */
  readonly lineBreaks: boolean;
}

/**
 * The structure of a JSON document without the weight of its long strings (images, PDFs, long prompts): parsing the
 * skeleton validates and shows everything but the middle of those strings, at a small part of the cost of parsing all.
 * Returns null when a string does not end.
 */
export function skeleton(bytes: Buffer): Skeleton | null {
  let depth = 0;
  let deepest = 0;
  let kept = 0;
  let pieces: string[] | null = null;
  let lineBreaks = false;
  const large = bytes.length > SMALL_BODY;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    if (byte === QUOTE) {
      const close = stringEnd(bytes, i);
      if (close < 0) return null;
      if (large && close - i > 2 * KEPT_BYTES) {
        pieces ??= [];
        pieces.push(bytes.toString('utf8', kept, cutPoint(bytes, i + 1)));
        lineBreaks ||= hasLineBreaks(bytes, i, close);
        kept = close;
      }
      i = close;
    } else if (byte === 0x7b || byte === 0x5b) {
      if (++depth > deepest) deepest = depth;
    } else if (byte === 0x7d || byte === 0x5d) depth--;
  }
  if (pieces === null) return { text: bytes.toString('utf8'), depth: deepest, shortened: false, lineBreaks };
  pieces.push(bytes.toString('utf8', kept));
  return { text: pieces.join(''), depth: deepest, shortened: true, lineBreaks };
}

/** Where the string that starts at `start` may be cut: between characters, and never inside an escape. */
function cutPoint(bytes: Buffer, start: number): number {
  let cut = start + KEPT_BYTES;
  while (((bytes[cut] ?? 0) & 0xc0) === 0x80) cut--;
  for (let i = cut - 1; i >= cut - 12; i--) {
    if (bytes[i] !== BACKSLASH) continue;
    let run = i;
    while (run > start && bytes[run - 1] === BACKSLASH) run--;
    return run;
  }
  return cut;
}
