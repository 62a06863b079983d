import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { parquetReadObjects } from 'hyparquet';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { OutputFormat } from '@embedmill/jobs';
import { joinParts, writePart, type OutputRow, type OutputShape, type Part } from './index.ts';

const run = promisify(execFile);
const DIMS = 4;
const POINTS: OutputShape = {
  rows: 'points',
  dense: [{ name: 'dense', dims: DIMS }],
  sparse: ['bm25'],
  structure: true,
};
const DOCUMENTS: OutputShape = { rows: 'documents' };

// JSON has no -0.
const float = fc.float({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0);
const documents: fc.Arbitrary<OutputRow> = fc.record({
  id: fc.string({ unit: 'grapheme', minLength: 1 }),
  tenant: fc.constantFrom('default', 'acme'),
  text: fc.string({ unit: 'grapheme' }),
  title: fc.option(fc.string({ minLength: 1 })),
  image: fc.option(fc.webUrl()),
  source: fc.option(fc.string({ minLength: 1 })),
  metadata: fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.integer(), fc.array(fc.boolean()))),
});
const STRUCTURE: OutputRow['structure'] = {
  sections: [{ start: 0, headings: ['A', 'B'] }],
  pages: [{ start: 0, number: 3 }],
};
const structured: fc.Arbitrary<OutputRow> = fc
  .tuple(documents, fc.constantFrom(STRUCTURE, undefined))
  .map(([document, structure]) => ({ ...document, structure }));
const points: fc.Arbitrary<OutputRow> = fc
  .tuple(
    structured,
    fc.record({
      chunk: fc.nat(9),
      chunks: fc.integer({ min: 1, max: 10 }),
      start: fc.nat(),
      end: fc.nat(),
      timestamp: fc.option(fc.double({ min: 0, max: 1e6, noNaN: true })),
      dense: fc
        .array(float, { minLength: DIMS, maxLength: DIMS })
        .map((values) => ({ dense: Float32Array.from(values) })),
      sparse: fc.option(
        fc.uniqueArray(fc.tuple(fc.integer({ min: 0, max: 2 ** 32 - 1 }), float), { selector: ([id]) => id }),
        { nil: undefined },
      ),
    }),
  )
  .map(([document, { sparse, ...point }]): OutputRow => ({
    ...document,
    point: {
      ...point,
      sparse: {
        bm25: sparse && {
          indices: Uint32Array.from(sparse, ([id]) => id),
          values: Float32Array.from(sparse, ([, value]) => value),
        },
      },
    },
  }));

/** A file of parts, each of batches, each of rows. */
async function written(format: OutputFormat, shape: OutputShape, parts: OutputRow[][][]): Promise<Buffer> {
  async function* each<T>(items: T[]): AsyncGenerator<T> {
    yield* items;
  }
  async function* files(): AsyncGenerator<Part> {
    for (const batches of parts) yield partOf(await bytesOf(writePart(format, shape, each(batches))));
  }
  return bytesOf(joinParts(format, shape, files()));
}

function partOf(bytes: Buffer): Part {
  return {
    size: bytes.length,
    read: async function* (offset, length = bytes.length) {
      yield bytes.subarray(offset, offset + length);
    },
  };
}

const bytesOf = async (stream: AsyncIterable<Uint8Array>): Promise<Buffer> =>
  Buffer.concat(await Array.fromAsync(stream));

async function readParquet(bytes: Buffer): Promise<Record<string, unknown>[]> {
  const rows = await parquetReadObjects({ file: Uint8Array.from(bytes).buffer });
  // If no row of a group has a struct, the reader returns undefined for null.
  return rows.map((row) =>
    Object.fromEntries(Object.entries(row).map(([name, value]) => [name, value ?? null])),
  );
}

/** A row as a reader of Parquet sees it. */
function seen({ point, ...document }: OutputRow): Record<string, unknown> {
  const metadata = JSON.stringify(document.metadata);
  const structure = document.structure === undefined ? null : JSON.stringify(document.structure);
  if (point === undefined) return { ...document, metadata, structure };
  const { dense, sparse, ...place } = point;
  const terms = sparse.bm25;
  return {
    ...document,
    metadata,
    structure,
    ...place,
    dense: Array.from(dense.dense ?? []),
    bm25: terms ? { indices: Array.from(terms.indices, BigInt), values: Array.from(terms.values) } : null,
  };
}

const parted = (row: fc.Arbitrary<OutputRow>) =>
  fc.array(fc.array(fc.array(row, { maxLength: 4 }), { maxLength: 3 }), { maxLength: 4 });

describe('Parquet', () => {
  it('joined parts have the rows of all parts, in order, each value as it was', async () => {
    for (const [shape, row] of [
      [POINTS, points],
      [DOCUMENTS, structured],
    ] as const) {
      await fc.assert(
        fc.asyncProperty(parted(row), async (parts) => {
          const rows = await readParquet(await written('parquet', shape, parts));
          expect(rows).toEqual(parts.flat(2).map(seen));
        }),
        { numRuns: 60 },
      );
    }
  });

  it('the same rows give the same bytes', async () => {
    const rows = fc.sample(points, { numRuns: 20, seed: 7 });
    const [first, second] = [
      await written('parquet', POINTS, [[rows]]),
      await written('parquet', POINTS, [[rows]]),
    ];
    expect(first.equals(second)).toBe(true);
  });
});

describe('NDJSON', () => {
  const parsed = (text: string): unknown[] =>
    text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as unknown]));

  it('a line is the row, numbers equal as float32', async () => {
    await fc.assert(
      fc.asyncProperty(parted(points), async (parts) => {
        const lines = parsed((await written('ndjson', POINTS, parts)).toString('utf8'));
        expect(lines).toEqual(
          parts.flat(2).map(({ id, tenant, title, text, image, source, metadata, structure, point }) => ({
            id,
            tenant,
            ...(title === null ? undefined : { title }),
            ...(text === '' && image !== null ? undefined : { text }),
            ...(image === null ? undefined : { image }),
            ...(source === null ? undefined : { source }),
            ...(Object.keys(metadata).length === 0 ? undefined : { metadata }),
            ...(structure === undefined ? undefined : { structure }),
            chunk: point!.chunk,
            chunks: point!.chunks,
            start: point!.start,
            end: point!.end,
            ...(point!.timestamp === null ? undefined : { timestamp: point!.timestamp }),
            dense: Array.from(point!.dense.dense!, (value) =>
              expect.toSatisfy((n) => Math.fround(n) === value),
            ),
            ...(point!.sparse.bm25 === undefined
              ? undefined
              : {
                  bm25: {
                    indices: Array.from(point!.sparse.bm25.indices),
                    values: Array.from(point!.sparse.bm25.values, (value) =>
                      expect.toSatisfy((n) => Math.fround(n) === value),
                    ),
                  },
                }),
          })),
        );
      }),
      { numRuns: 60 },
    );
  });

  it('gzipped parts joined are one gzip file of all lines', async () => {
    const rows = fc.sample(documents, { numRuns: 9, seed: 3 });
    const parts = [[rows.slice(0, 4)], [rows.slice(4)]];
    const zipped = await written('ndjson.gz', DOCUMENTS, parts);
    expect(gunzipSync(zipped).equals(await written('ndjson', DOCUMENTS, parts))).toBe(true);
  });

  it('floats have no more digits than float32 needs', async () => {
    const [row] = fc.sample(points, { numRuns: 1, seed: 1 });
    const dense = Float32Array.of(0.1, -1 / 3, 1e-20, 16_777_216);
    const file = await written('ndjson', POINTS, [
      [[{ ...row!, point: { ...row!.point!, dense: { dense } } }]],
    ]);
    expect(file.toString('utf8')).toContain('"dense":[0.1,-0.33333334,1e-20,16777216]');
  });
});

const python = process.env['EMBEDMILL_PYTHON'] ?? 'python3';
const hasPyarrow = await run(python, ['-c', 'import pyarrow']).then(
  () => true,
  () => false,
);

describe.skipIf(!hasPyarrow)(
  'a Python with pyarrow, as EMBEDMILL_PYTHON may name one (skipped without pyarrow)',
  () => {
    let folder: string;
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'embedmill-outputs-'));
    });
    afterAll(() => rm(folder, { recursive: true, force: true }));

    const READ = `
import json, sys, pyarrow.parquet as pq
table = pq.read_table(sys.argv[1])
print(json.dumps({"types": {f.name: str(f.type) for f in table.schema}, "rows": table.to_pylist()}))
`;

    it('reads equal values, and dense vectors as lists of fixed size', async () => {
      const rows = fc.sample(points, { numRuns: 50, seed: 11 });
      const path = join(folder, 'points.parquet');
      await writeFile(
        path,
        await written('parquet', POINTS, [[rows.slice(0, 20), rows.slice(20, 30)], [rows.slice(30)]]),
      );
      const { stdout } = await run(python, ['-c', READ, path], { maxBuffer: 1e8 });
      const { types, rows: read } = JSON.parse(stdout) as {
        types: Record<string, string>;
        rows: Record<string, unknown>[];
      };
      expect(types['dense']).toBe('fixed_size_list<element: float not null>[4]');
      expect(types['bm25']).toMatch(/^struct<indices: list<element: int64/);
      const plain = (value: unknown): unknown =>
        JSON.parse(
          JSON.stringify(value, (_, inner: unknown) => (typeof inner === 'bigint' ? Number(inner) : inner)),
        );
      expect(read).toEqual(rows.map((row) => plain(seen(row))));
    });
  },
);
