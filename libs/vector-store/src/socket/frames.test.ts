import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeFrame, FrameReader } from './frames.ts';

/** Cuts bytes at these positions, given as shares of the whole. */
function pieces(bytes: Buffer, cuts: number[]): Buffer[] {
  const places = [
    0,
    ...cuts.map((cut) => Math.floor(cut * bytes.length)).toSorted((a, b) => a - b),
    bytes.length,
  ];
  return places.slice(1).map((end, i) => bytes.subarray(places[i], end));
}

describe('frames', () => {
  test('values come out as they went in, however the stream is cut', () => {
    const value = fc.oneof(
      fc.jsonValue(),
      fc.float32Array({ noNaN: true }),
      fc.record({
        id: fc.nat(),
        name: fc.string({ unit: 'binary' }),
        dense: fc.float32Array({ noNaN: true }),
      }),
      fc.constant(undefined),
    );
    const part = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(fc.array(value, { minLength: 1 }), fc.array(part, { maxLength: 30 }), (values, cuts) => {
        const reader = new FrameReader();
        const stream = Buffer.concat(values.map((one) => encodeFrame(one)));
        expect(pieces(stream, cuts).flatMap((piece) => reader.push(piece))).toEqual(values);
      }),
    );
  });

  test('of a view only its own stretch travels, and it can be used as floats again', () => {
    const all = Float32Array.from({ length: 100_000 }, (_, i) => i);
    for (let odd = 0; odd < 8; odd++) {
      const frame = encodeFrame(['x'.repeat(odd), all.subarray(7, 10)]);
      expect(frame.length).toBeLessThan(100);
      const [[, view] = []] = new FrameReader().push(frame) as [string, Float32Array][];
      expect(view).toEqual(new Float32Array([7, 8, 9]));
      expect(view?.length).toBe(3);
    }
  });

  test('a value that is too large is not sent', () => {
    expect(() => encodeFrame('x'.repeat(1000), 999)).toThrow(
      expect.objectContaining({ code: 'store_rejected' }),
    );
  });

  test.each([
    ['too large', Buffer.from([0xff, 0xff, 0xff, 0xff])],
    ['empty', Buffer.from([0, 0, 0, 0])],
    ['garbage', Buffer.from([3, 0, 0, 0, 1, 2, 3])],
  ])('a frame that is %s is refused', (_, bytes) => {
    expect(() => new FrameReader(1000).push(bytes)).toThrow(
      expect.objectContaining({ code: 'store_rejected' }),
    );
  });
});
