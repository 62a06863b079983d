import fc from 'fast-check';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { expect, test } from 'vitest';
import { parquetLines } from './parquet-lines.ts';

const ROWS = 50;
const WHOLE = new Uint8Array(
  parquetWriteBuffer({
    rowGroupSize: 20,
    columnData: [
      { name: 'id', data: Array.from({ length: ROWS }, (_, n) => BigInt(n)), type: 'INT64' },
      { name: 'text', data: Array.from({ length: ROWS }, (_, n) => `text ${n}`), type: 'STRING' },
      { name: 'tags', data: Array.from({ length: ROWS }, (_, n) => ({ a: [n] })), type: 'JSON' },
      {
        name: 'none',
        data: Array.from({ length: ROWS }, (_, n) => (n % 2 === 0 ? null : 1.5)),
        type: 'DOUBLE',
      },
    ],
  }),
);

const linesOf = (bytes: Uint8Array, limits = { heapMB: 128, silenceMs: 1000 }) => {
  const read = async (start: number, end: number) => Uint8Array.from(bytes.subarray(start, end));
  const task = { columns: undefined, filterable: {} };
  return Array.fromAsync(parquetLines({ size: bytes.length, read }, task, limits));
};

test('with any of its bytes changed it is read or refused, and ends neither the process nor its memory', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.nat(WHOLE.length - 1), fc.nat(255)), { minLength: 1, maxLength: 3 }),
      async (changes) => {
        const bytes = Uint8Array.from(WHOLE);
        for (const [at, byte] of changes) bytes[at] = byte;
        await linesOf(bytes).catch((error: unknown) => {
          expect(error).toMatchObject({ code: 'source_unreadable' });
        });
      },
    ),
    { numRuns: 30, examples: [[[[1061, 195]]], [[[276, 206]]]] },
  );
});

test('a decoder that says nothing is given up', async () => {
  await expect(linesOf(WHOLE, { heapMB: 128, silenceMs: 1 })).rejects.toThrow(/kept the decoder busy/);
});

test('what reading throws comes through as it is', async () => {
  const read = () => Promise.reject(new Error('the store is away'));
  const lines = parquetLines({ size: 1000, read }, { columns: undefined, filterable: {} });
  await expect(Array.fromAsync(lines)).rejects.toThrow('the store is away');
});
