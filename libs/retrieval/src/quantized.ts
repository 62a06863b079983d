/** Smaller forms of a vector, for stores that take them. */
export type VectorForm = 'int8' | 'uint8' | 'binary' | 'ubinary';

/**
 * A vector in fewer bytes. `int8`: each number times 127 over the greatest of them, rounded, so that directions stay;
 * `uint8`: the same plus 128; `ubinary`: a bit a number, 1 where it is above 0, the first the highest of its byte (as numpy's packbits), and
 * `binary` the same less 128, as signed bytes.
 */
export function quantized(vector: Float32Array, form: VectorForm): number[] {
  switch (form) {
    case 'int8': {
      const greatest = vector.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;
      // Without `| 0`, small negative numbers would become -0, which JSON writes as 0 but which is no int8.
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
