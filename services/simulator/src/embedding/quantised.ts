/** The number types that providers offer beside float32; the packed ones hold eight dimensions a byte. */
export type QuantisedType = 'int8' | 'uint8' | 'binary' | 'ubinary';

export function quantised(vector: Float32Array, type: QuantisedType): Int8Array | Uint8Array {
  switch (type) {
    case 'int8':
      return Int8Array.from(vector, (value) => Math.round(value * 127));
    case 'uint8':
      return Uint8Array.from(vector, (value) => Math.round(value * 127) + 128);
    case 'ubinary':
      return packed(vector);
    case 'binary':
      return Int8Array.from(packed(vector), (byte) => byte - 128);
  }
}

/** One bit a dimension, set where it is positive, the first one highest. */
function packed(vector: Float32Array): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(vector.length / 8));
  for (const [index, value] of vector.entries()) {
    const at = index >> 3;
    if (value > 0) bytes[at] = (bytes[at] ?? 0) | (0x80 >> (index & 7));
  }
  return bytes;
}
