import { Readable } from 'node:stream';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { datasetPart, datasetSchema, joinDatasetParts, type DatasetRow } from './dataset.ts';
import { MARKER_BYTES, readDatasetFile } from './dataset-file.fixture.ts';

const FIELDS = ['wiki_id', 'views', 'langs'];

const vector = fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), { maxLength: 5 });
const row: fc.Arbitrary<DatasetRow> = fc.record({
  text: fc.string({ unit: 'grapheme' }),
  embeddings: fc.record(
    {
      float: vector.map((values) => Float32Array.from(values)),
      int8: fc.array(fc.integer({ min: -128, max: 127 }), { maxLength: 5 }),
      ubinary: fc.array(fc.nat(255), { maxLength: 5 }),
    },
    { requiredKeys: [] },
  ),
  fields: fc.dictionary(
    fc.constantFrom(...FIELDS),
    fc.oneof(fc.constant(null), fc.boolean(), fc.maxSafeInteger(), fc.double({ noNaN: true }), fc.string()),
  ),
});

test('a file of parts gives each row once, in order, with its values as they were', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(row, { maxLength: 3 }), { maxLength: 3 }), async (parts) => {
      const { schema, rows } = readDatasetFile(await fileOf(parts), FIELDS);
      expect(schema).toBe(datasetSchema({ fields: FIELDS }));
      expect(rows).toEqual(
        parts.flat().map(({ fields, ...row }) => ({ ...plain(row), ...NO_FIELDS, ...fields })),
      );
    }),
  );
});

const NO_FIELDS = Object.fromEntries(FIELDS.map((name) => [name, null]));

function plain({ text, embeddings }: Omit<DatasetRow, 'fields'>) {
  const { float = null, int8 = null, ubinary = null } = embeddings;
  return {
    text,
    embeddings: { float: float && Array.from(float), int8, uint8: null, binary: null, ubinary },
  };
}

test('the bytes are those of the specification', () => {
  const rows: DatasetRow[] = [
    { text: 'foo', embeddings: { int8: [-1, 64] }, fields: { views: -64, langs: true } },
  ];
  const part = Buffer.from(datasetPart({ job: 'job_a', dataset: { fields: FIELDS } }, rows));
  const text = [0x06, 0x66, 0x6f, 0x6f];
  const embeddings = [0x00, 0x02, 0x04, 0x01, 0x80, 0x01, 0x00, 0x00, 0x00, 0x00];
  const fields = [0x00, 0x04, 0x7f, 0x02, 0x01];
  const record = [...text, ...embeddings, ...fields];
  expect([...part.subarray(0, -MARKER_BYTES)]).toEqual([0x02, 2 * record.length, ...record]);
});

async function fileOf(parts: DatasetRow[][]): Promise<Buffer> {
  const file = { job: 'job_a', dataset: { fields: FIELDS } };
  const written = parts.map((rows) => {
    const bytes = datasetPart(file, rows);
    return { size: bytes.length, read: () => Readable.from([bytes]) };
  });
  return Buffer.concat(await Array.fromAsync(joinDatasetParts(file, Readable.from(written))));
}
