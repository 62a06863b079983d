/**
 * Tensors of a safetensors file (https://huggingface.co/docs/safetensors): the length of a header as a uint64, the
 * header as JSON, then the numbers. The file is read whole, which suits single layers.
 */
export interface FloatTensor {
  readonly dimensions: readonly number[];
  readonly values: Float32Array;
}

const BYTES = { F32: 4, F16: 2, BF16: 2 } as const;
export type FloatType = keyof typeof BYTES;

/** The float tensors of a file, by name, as float32. Throws a SyntaxError if the bytes are not a safetensors file. */
export function floatTensors(file: Buffer): Map<string, FloatTensor> {
  const length = file.length < 8 ? Infinity : Number(file.readBigUInt64LE(0));
  if (length > file.length - 8) throw notSafetensors('it ends early');
  const header = JSON.parse(file.subarray(8, 8 + length).toString('utf8')) as unknown;
  if (typeof header !== 'object' || header === null) throw notSafetensors('its header is not an object');
  const data = file.subarray(8 + length);
  const tensors = new Map<string, FloatTensor>();
  for (const [name, tensor] of Object.entries(header)) {
    const { dtype, shape, data_offsets: offsets } = (tensor ?? {}) as Record<string, unknown>;
    if (typeof dtype !== 'string' || !Object.hasOwn(BYTES, dtype)) continue;
    const type = dtype as FloatType;
    if (!isSizes(shape) || !isSizes(offsets)) throw notSafetensors(`${name} has no shape or offsets`);
    const [from = 0, to = 0] = offsets;
    const count = shape.reduce((product, size) => product * size, 1);
    if (to > data.length || to - from !== count * BYTES[type])
      throw notSafetensors(`${name} has wrong offsets`);
    tensors.set(name, { dimensions: shape, values: floatsOf(data.subarray(from, to), type) });
  }
  return tensors;
}

/** Consecutive little-endian numbers. */
export function floatsOf(bytes: Buffer, type: FloatType): Float32Array {
  const count = Math.floor(bytes.length / BYTES[type]);
  switch (type) {
    case 'F32':
      return Float32Array.from({ length: count }, (_, n) => bytes.readFloatLE(4 * n));
    case 'F16':
      return Float32Array.from({ length: count }, (_, n) => halfOf(bytes.readUInt16LE(2 * n)));
    case 'BF16': {
      // The upper half of a float32.
      const words = Uint32Array.from({ length: count }, (_, n) => bytes.readUInt16LE(2 * n) << 16);
      return new Float32Array(words.buffer);
    }
  }
}

/** IEEE 754 binary16: a sign, 5 bits of exponent, 10 of fraction. */
function halfOf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && Number(size) >= 0);
}

function notSafetensors(why: string): SyntaxError {
  return new SyntaxError(`not a complete safetensors file: ${why}`);
}
