import { stringEnd } from './scan.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** The letters of their escapes. */
const ESCAPED: ReadonlyMap<number, number> = new Map([
  [0x0a, 0x6e],
  [0x0d, 0x72],
  [0x09, 0x74],
]);
const DATA_URI = Buffer.from('data:');

/**
 * Line breaks and tabs that stand as they are inside strings, which JSON forbids, put right: shell scripts paste text into
 * JSON, and GNU's `base64` breaks its lines. In a `data:` URI they mean nothing (URL standard) and are left out; elsewhere
 * they are written as escapes. Null when there are none, or when this is no text that can be put right.
 */
export function escapeLineBreaks(bytes: Buffer): Buffer | null {
  // One buffer, not a piece a line break: a body may hold millions of them. Written at most twice its length.
  let mended: Buffer | null = null;
  let length = 0;
  let kept = 0;
  for (let open = bytes.indexOf(QUOTE); open >= 0; ) {
    const close = stringEnd(bytes, open);
    if (close < 0) return null;
    if (hasLineBreaks(bytes, open, close)) {
      const isDataUri = bytes.subarray(open + 1, open + 1 + DATA_URI.length).equals(DATA_URI);
      for (let i = open + 1; i < close; i++) {
        const letter = ESCAPED.get(bytes[i] ?? 0);
        if (letter === undefined) continue;
        // Behind a backslash it would become something else than was meant.
        if (bytes[i - 1] === BACKSLASH) return null;
        mended ??= Buffer.allocUnsafeSlow(bytes.length * 2);
        if (i > kept) length += bytes.copy(mended, length, kept, i);
        if (!isDataUri) {
          mended[length++] = BACKSLASH;
          mended[length++] = letter;
        }
        kept = i + 1;
      }
    }
    open = bytes.indexOf(QUOTE, close + 1);
  }
  if (mended === null) return null;
  length += bytes.copy(mended, length, kept);
  return mended.subarray(0, length);
}

/** Whether a line break or a tab stands in the string that opens at `open` and closes at `close`. */
export function hasLineBreaks(bytes: Buffer, open: number, close: number): boolean {
  const inside = bytes.subarray(open + 1, close);
  for (const byte of ESCAPED.keys()) if (inside.includes(byte)) return true;
  return false;
}
