import fc from 'fast-check';
import { expect, it } from 'vitest';
import { floatTensors } from './safetensors.ts';

function fileOf(header: unknown, data: Uint8Array): Buffer {
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, data]);
}

const oneTensor = (dtype: string, shape: number[], data: Uint8Array) =>
  floatTensors(
    fileOf(
      { __metadata__: { format: 'pt' }, weight: { dtype, shape, data_offsets: [0, data.length] } },
      data,
    ),
  );

it('reads every float16 as the number that it is', () => {
  const bits = Uint16Array.from({ length: 2 ** 16 }, (_, n) => n);
  const read = oneTensor('F16', [2 ** 16], new Uint8Array(bits.buffer)).get('weight');
  expect(read?.values).toEqual(Float32Array.from(new Float16Array(bits.buffer)));
});

it('reads bfloat16 as the upper half of a float32, and float32 as it is', () => {
  fc.assert(
    fc.property(fc.array(fc.float({ noNaN: true }), { minLength: 1, maxLength: 9 }), (numbers) => {
      const floats = Float32Array.from(numbers);
      const bytes = new Uint8Array(floats.buffer);
      expect(oneTensor('F32', [floats.length, 1], bytes).get('weight')).toEqual({
        dimensions: [floats.length, 1],
        values: floats,
      });
      const upper = Uint16Array.from(new Uint32Array(floats.buffer), (word) => word >>> 16);
      const cut = Uint32Array.from(upper, (half) => half << 16);
      const read = oneTensor('BF16', [floats.length], new Uint8Array(upper.buffer)).get('weight');
      expect(read?.values).toEqual(new Float32Array(cut.buffer));
    }),
  );
});

it('passes over tensors of whole numbers', () => {
  expect(oneTensor('I64', [1], new Uint8Array(8)).size).toBe(0);
});

it.each([
  ['nothing', Buffer.alloc(0)],
  ['a header that is longer than the file', fileOf({}, new Uint8Array()).fill(255, 0, 7)],
  ['a header that is no JSON', Buffer.concat([Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]), Buffer.from('{')])],
  [
    'a tensor that ends behind the file',
    fileOf({ w: { dtype: 'F32', shape: [2], data_offsets: [0, 8] } }, new Uint8Array(4)),
  ],
  [
    'a tensor of another size',
    fileOf({ w: { dtype: 'F32', shape: [3], data_offsets: [0, 8] } }, new Uint8Array(8)),
  ],
  [
    'a tensor of negative size',
    fileOf({ w: { dtype: 'F32', shape: [-2], data_offsets: [8, 0] } }, new Uint8Array(8)),
  ],
])('refuses %s', (_what, file) => {
  expect(() => floatTensors(file)).toThrow(SyntaxError);
});
