import type { EmbeddingFormat, EmbeddingVector } from '../dialects/index.ts';

/** Below, float32 has fewer digits than six. */
const LEAST_NORMAL = 2 ** -126;

/**
 * One entry of an answer's `data` as JSON text. Numbers that need no conversion stay as the provider wrote them, letter by letter.
 * Throws a RangeError for base64 that holds what JSON has no number for.
 */
export const entryText = (vector: EmbeddingVector, index: number, format: EmbeddingFormat): string =>
  `{"object":"embedding","index":${index},"embedding":${format === 'base64' ? `"${base64Of(vector)}"` : jsonOf(vector)}}`;

/** Little-endian float32 in base64; each number is rounded once, to the nearest. */
export function base64Of({ form, text }: EmbeddingVector): string {
  if (form === 'base64') return text;
  const numbers = JSON.parse(text) as readonly number[];
  const bytes = Buffer.allocUnsafe(numbers.length * 4);
  for (const [i, value] of numbers.entries()) bytes.writeFloatLE(value, i * 4);
  return bytes.toString('base64');
}

/** A JSON array of the shortest decimals that read back to the same float32. */
export function jsonOf({ form, text }: EmbeddingVector): string {
  if (form === 'json') return text;
  const bytes = Buffer.from(text, 'base64');
  const numbers: string[] = [];
  for (let at = 0; at + 4 <= bytes.length; at += 4) numbers.push(shortest(bytes.readFloatLE(at)));
  return `[${numbers.join(',')}]`;
}

function shortest(value: number): string {
  if (!Number.isFinite(value)) throw new RangeError('not a number that JSON has');
  if (value === 0) return Object.is(value, -0) ? '-0' : '0';
  // Six digits are always kept by a normal float32, nine always tell one from another.
  for (let digits = Math.abs(value) < LEAST_NORMAL ? 1 : 6; digits < 9; digits++) {
    const candidate = Number(value.toPrecision(digits));
    if (Math.fround(candidate) === value) return String(candidate);
  }
  return String(Number(value.toPrecision(9)));
}
