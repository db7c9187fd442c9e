/** Chance without a die: the same seed and name always give the same number, other seeds or names an unrelated one. */

const bits = new Float64Array(1);
const words = new Uint32Array(bits.buffer);

/** A number in (0, 1). Any seed will do: whole, fractional, large. */
export function chance(seed: number, name: string): number {
  bits[0] = seed;
  const [low = 0, high = 0] = words;
  return (mix(hashText(name) ^ mix(low ^ mix(high))) + 0.5) / 2 ** 32;
}

/** FNV-1a over UTF-16 units. */
function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** The finalizer of MurmurHash3: every bit in decides on every bit out. */
function mix(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
