/** Smaller number formats of a vector, for stores that support them. */
export type VectorForm = 'int8' | 'uint8' | 'binary' | 'ubinary';

/**
 * A vector in fewer bytes. `int8`: each number scaled so that the greatest magnitude is 127, then rounded, which keeps
 * the direction; `uint8`: the same plus 128; `ubinary`: one bit per number, 1 if it is above 0, the first in the
 * highest bit of its byte (like numpy's packbits); `binary`: the same minus 128, as signed bytes.
 */
export function quantized(vector: Float32Array, form: VectorForm): number[] {
  switch (form) {
    case 'int8': {
      const greatest = vector.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;
      // Without `| 0`, small negative numbers would become -0, which is not an int8, although JSON prints it as 0.
      return Array.from(vector, (value) => Math.round((127 * value) / greatest) | 0);
    }
    case 'uint8':
      return quantized(vector, 'int8').map((value) => value + 128);
    case 'ubinary':
      return packedBits(vector);
    case 'binary':
      return packedBits(vector).map((byte) => byte - 128);
  }
}

function packedBits(vector: Float32Array): number[] {
  const bytes = Array.from({ length: Math.ceil(vector.length / 8) }, () => 0);
  for (const [n, value] of vector.entries()) {
    if (value > 0) bytes[n >> 3] = (bytes[n >> 3] ?? 0) | (0x80 >> (n & 7));
  }
  return bytes;
}
