import { randomFrom, seedOf } from '../../text/random.ts';

/** Dimensions of the known models; others have 1536. */
export function nativeDimensions(model: string): number {
  return model.includes('text-embedding-3-large') ? 3072 : 1536;
}

/**
 * The unit vector of a text: the same text always has the same one. With fewer `dimensions` than the model's own it is
 * cut and made a unit vector again, as OpenAI does. Every number is a float32.
 */
export function vectorOf(content: string, native: number, dimensions: number): Float32Array {
  const random = randomFrom(seedOf(content));
  const vector = Float64Array.from({ length: Math.max(native, dimensions) }, () => random() * 2 - 1);
  const kept = vector.subarray(0, dimensions);
  const length = Math.sqrt(kept.reduce((sum, value) => sum + value * value, 0));
  return Float32Array.from(kept, (value) => value / length);
}

/** Little-endian float32, as the SDKs decode it. */
export function base64Of(vector: Float32Array): string {
  const bytes = Buffer.alloc(vector.length * 4);
  for (const [index, value] of vector.entries()) bytes.writeFloatLE(value, index * 4);
  return bytes.toString('base64');
}
