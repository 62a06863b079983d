import fc from 'fast-check';
import { expect, test } from 'vitest';
import { resample, type Interpolation, type Pixels } from './resample.ts';

const side = fc.integer({ min: 1, max: 40 });
const interpolation = fc.constantFrom<Interpolation>('bilinear', 'bicubic', 'lanczos');
const image = fc
  .record({ width: side, height: side, channels: fc.constantFrom(1, 3) })
  .chain(({ width, height, channels }) =>
    fc
      .uint8Array({ minLength: width * height * channels, maxLength: width * height * channels })
      .map((data): Pixels => ({ width, height, channels, data })),
  );
const whole = (width: number, height: number) => ({ left: 0, top: 0, width, height });

test('the same size gives the same image', async () => {
  await fc.assert(
    fc.asyncProperty(image, interpolation, async (given, interpolation) => {
      const { width, height } = given;
      const same = await resample(given, { width, height, window: whole(width, height), interpolation });
      expect(same).toEqual(given);
    }),
  );
});

test('an image of one colour stays of that colour', async () => {
  await fc.assert(
    fc.asyncProperty(
      side,
      side,
      side,
      side,
      fc.nat(255),
      interpolation,
      async (w, h, width, height, grey, kernel) => {
        const data = new Uint8Array(w * h).fill(grey);
        const resized = await resample(
          { width: w, height: h, channels: 1, data },
          { width, height, window: whole(width, height), interpolation: kernel },
        );
        expect(new Set(resized.data)).toEqual(new Set([grey]));
      },
    ),
  );
});

test('a window is cut from the whole, as if that had been computed', async () => {
  await fc.assert(
    fc.asyncProperty(image, side, side, fc.nat(), fc.nat(), async (given, width, height, x, y) => {
      const left = x % width;
      const top = y % height;
      const window = { left, top, width: width - left, height: height - top };
      const common = { width, height, interpolation: 'bicubic' } as const;
      const full = await resample(given, { ...common, window: whole(width, height) });
      const part = await resample(given, { ...common, window });
      for (let row = 0; row < window.height; row += 1) {
        const from = ((top + row) * width + left) * given.channels;
        const length = window.width * given.channels;
        const own = part.data.subarray(row * length, (row + 1) * length);
        expect(own).toEqual(full.data.subarray(from, from + length));
      }
    }),
  );
});
