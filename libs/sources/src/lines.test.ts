import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readLines, type Line } from './lines.ts';

async function* chunked(bytes: Buffer, sizes: number[]): AsyncGenerator<Uint8Array> {
  let at = 0;
  for (let n = 0; at < bytes.length; n += 1) {
    const size = sizes.length === 0 ? bytes.length : Math.max(1, sizes[n % sizes.length]!);
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

async function linesOf(bytes: Buffer, sizes: number[] = [], max?: number): Promise<Line[]> {
  return (await Array.fromAsync(readLines(chunked(bytes, sizes), undefined, max))).flat();
}

test('lines are the same however the bytes are cut, and each is found again at its offset', async () => {
  const line = fc.string({ unit: 'grapheme', maxLength: 20 }).map((text) => text.replaceAll(/[\r\n]/g, ''));
  await fc.assert(
    fc.asyncProperty(
      fc.array(line),
      fc.constantFrom('\n', '\r\n'),
      fc.array(fc.nat(7)),
      async (texts, end, sizes) => {
        const bytes = Buffer.from(texts.map((text) => text + end).join(''));
        const lines = await linesOf(bytes, sizes);
        const expected = texts.flatMap((text, n) =>
          text.replaceAll(/^[ \t]+|[ \t]+$/g, '') === '' ? [] : [n + 1],
        );
        const bomFirst = texts[0]?.startsWith('\uFEFF') === true;
        if (!bomFirst) expect(lines.map(({ number }) => number)).toEqual(expected);
        for (const { number, offset, length, bytes: content } of lines) {
          expect(bytes.subarray(offset, offset + length).toString()).toBe(texts[number - 1]! + end);
          if (!bomFirst)
            expect(content!.toString()).toBe(texts[number - 1]!.replaceAll(/^[ \t]+|[ \t]+$/g, ''));
        }
      },
    ),
  );
});

test('a line over the limit is passed over without being held, and the next ones are read', async () => {
  const lines = await linesOf(Buffer.from(`short\n${'x'.repeat(100)}\nlast`), [7], 50);
  expect(lines.map(({ number, length, bytes }) => [number, length, bytes?.toString()])).toEqual([
    [1, 6, 'short'],
    [2, 101, undefined],
    [3, 4, 'last'],
  ]);
});

test('a byte order mark, CRLF ends, blank lines and a missing last newline are taken as they are meant', async () => {
  const lines = await linesOf(Buffer.from('\uFEFF{"a":1}\r\n\r\n  \n{"b":2}'));
  expect(lines.map(({ number, bytes }) => [number, bytes?.toString()])).toEqual([
    [1, '{"a":1}'],
    [4, '{"b":2}'],
  ]);
});

test('a range in the middle of a source keeps its offsets and line numbers', async () => {
  const stream = chunked(Buffer.from('c\nd\n'), []);
  const lines = (await Array.fromAsync(readLines(stream, { offset: 4, firstLine: 3 }))).flat();
  expect(lines.map(({ number, offset }) => [number, offset])).toEqual([
    [3, 4],
    [4, 6],
  ]);
});
