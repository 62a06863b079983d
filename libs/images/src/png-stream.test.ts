import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PngSplitter } from './png-stream.ts';

const images = ['tiny-3x2.png', 'noise-70x55.png', 'palette-90x66.png'].map((name) =>
  readFileSync(join(import.meta.dirname, '../fixtures', name)),
);

test('images come out as they went in, however the stream is cut', () => {
  const stream = Buffer.concat([...images, ...images]);
  fc.assert(
    fc.property(fc.array(fc.nat(stream.length), { maxLength: 50 }), (cuts) => {
      const splitter = new PngSplitter();
      const ends = [...cuts.sort((a, b) => a - b), stream.length];
      const found = ends.flatMap((end, n) => splitter.push(stream.subarray(ends[n - 1] ?? 0, end)));
      expect(found).toEqual([...images, ...images]);
    }),
  );
});

test('an image is returned with its last byte, not later', () => {
  const splitter = new PngSplitter();
  const [image] = images;
  expect(splitter.push(image!.subarray(0, -1))).toEqual([]);
  expect(splitter.push(image!.subarray(-1))).toEqual([image]);
});
