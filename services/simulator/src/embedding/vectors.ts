import { seedOf } from '../text/random.ts';

/** What is embedded: a text, or token ids that the client made. */
export type EmbeddingItem = string | readonly number[];

/** What the seed of an item's vector is made of. */
export function seedTextOf(item: EmbeddingItem): string {
  return typeof item === 'string' ? item : `ids:${item.join(',')}`;
}

/**
 * The unit vector of a text: the same text always has the same one, in every language. With fewer `dimensions` it is cut
 * and made a unit vector again, as OpenAI does. Every number is a float32. The numbers are those of `randomFrom(seedOf(content))`,
 * drawn here in one loop, for a million vectors must not take minutes.
 */
export function vectorOf(content: string, dimensions: number): Float32Array {
  let state = seedOf(content) >>> 0;
  const drawn = new Float64Array(dimensions);
  let squares = 0;
  for (let index = 0; index < dimensions; index++) {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    const value = (((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000) * 2 - 1;
    drawn[index] = value;
    squares += value * value;
  }
  const length = Math.sqrt(squares);
  const vector = new Float32Array(dimensions);
  for (let index = 0; index < dimensions; index++) vector[index] = (drawn[index] ?? 0) / length;
  return vector;
}

/** Little-endian float32, as the SDKs decode it; the machines that run this are little-endian themselves. */
export function base64Of(vector: Float32Array | Int8Array | Uint8Array): string {
  return Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString('base64');
}
