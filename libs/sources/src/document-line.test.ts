import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseDocument, profileSchema } from '@embedmill/jobs';
import { readDocumentLine, type DocumentLine } from './document-line.ts';
import { readLines } from './lines.ts';

const PROFILE = profileSchema.parse({
  filterable: { year: 'integer', tag: 'keyword', constructor: 'keyword', toString: 'boolean' },
});

async function* inChunks(bytes: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function read(bytes: Buffer, start = { offset: 0, firstLine: 1 }, size = 7): Promise<DocumentLine[]> {
  const groups = await Array.fromAsync(readLines(inChunks(bytes, size), start));
  return groups.flat().map((line) => readDocumentLine(line, PROFILE));
}

const metadata = fc.dictionary(
  fc.oneof(
    fc.string(),
    fc.constantFrom('year', 'tag', 'constructor', 'toString', 'valueOf', 'hasOwnProperty'),
  ),
  fc.jsonValue({ maxDepth: 3 }),
);
const plain = fc.record({ id: fc.string({ minLength: 1 }), text: fc.string({ minLength: 5 }) });
const strange = fc.record(
  {
    id: fc.oneof(fc.string({ unit: 'binary' }), fc.integer(), fc.jsonValue()),
    text: fc.oneof(fc.string({ unit: 'binary' }), fc.jsonValue()),
    title: fc.oneof(fc.string(), fc.jsonValue()),
    metadata: fc.oneof(metadata, fc.jsonValue()),
    image: fc.oneof(fc.string(), fc.constantFrom('data:,', 'http://[', 'file:///etc/passwd')),
    tenant: fc.string(),
  },
  { requiredKeys: ['id', 'text'] },
);
/** A line with some bytes removed, duplicated or changed. */
const mutated = fc
  .tuple(
    fc.oneof(plain, strange).map((one) => Buffer.from(JSON.stringify(one))),
    fc.array(fc.tuple(fc.nat(), fc.nat(2), fc.nat(255)), { maxLength: 3 }),
  )
  .map(([bytes, changes]) =>
    changes.reduce((line, [where, how, byte]) => {
      const at = where % line.length;
      const piece = [Buffer.alloc(0), line.subarray(at, at + 1 + (byte % 8)), Buffer.from([byte])][how]!;
      return Buffer.concat([line.subarray(0, at), piece, line.subarray(how === 1 ? at : at + 1)]);
    }, bytes),
  );
const line = fc.oneof(
  mutated,
  fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
);

test('any bytes are documents, or reports that say why not; each is found again at its offset', async () => {
  let documents = 0;
  let reports = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(line, { minLength: 1, maxLength: 4 }), async (lines) => {
      const source = Buffer.concat(lines.flatMap((one) => [one, Buffer.from('\n')]));
      for (const found of await read(source)) {
        const { number, offset, length } = found.line;
        const start = { offset, firstLine: number };
        const [again] = await read(source.subarray(offset, offset + length), start, 1000);
        expect(again).toEqual(found);
        if (found.kind === 'document') {
          documents += 1;
          const { id, text, metadata: kept, tenant } = found.document;
          expect(parseDocument({ id, text, metadata: kept, tenant, image: 'x' }, PROFILE).ok).toBe(true);
        } else if (found.kind === 'invalid') {
          reports += 1;
          expect(found.report).toMatchObject({ line: number, offset, length });
          expect(found.report.message).toBeTruthy();
        }
      }
      expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    }),
    // There is at least one of each kind.
    { numRuns: 3000, examples: [[[Buffer.from('{"id":"a","text":"x"}')]], [[Buffer.from('{"id":"a"}')]]] },
  );
  expect(documents).toBeGreaterThan(0);
  expect(reports).toBeGreaterThan(0);
});

test.each([
  ['arrays', (n: number) => `{"id":"a","text":"x","metadata":{"k":${'['.repeat(n)}${']'.repeat(n)}}}`],
  ['objects', (n: number) => `{"id":"a","text":"x","metadata":${'{"k":'.repeat(n)}1${'}'.repeat(n)}}`],
  ['an id', (n: number) => `{"id":${'['.repeat(n)}${']'.repeat(n)},"text":"x"}`],
  ['brackets that never close', (n: number) => '['.repeat(n)],
])('%s may nest a million deep and break nothing', async (_what, text) => {
  const [found] = await read(Buffer.from(text(1_000_000)), undefined, 1 << 18);
  expect(found).toMatchObject({
    kind: 'invalid',
    report: { code: expect.stringMatching(/^(invalid_document|malformed_json)$/) },
  });
});

test.each([
  '{"id":"a","text":"x","__proto__":{"polluted":1}}',
  '{"id":"a","text":"x","metadata":{"__proto__":{"polluted":1}}}',
  '{"id":"a","text":"x","metadata":{"k":[{"\\u005f_proto__":{"polluted":1}}]}}',
])('a key that would change every object is refused: %s', async (text) => {
  const [found] = await read(Buffer.from(text));
  expect(found).toMatchObject({ kind: 'invalid', report: { code: 'forbidden_key', id: 'a' } });
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
});

test('fields that are called as every object’s own are fields like others', async () => {
  const [none, some] = await read(
    Buffer.from(
      '{"id":"a","text":"x","metadata":{}}\n{"id":"b","text":"x","metadata":{"constructor":"c","toString":true}}',
    ),
  );
  expect(none).toMatchObject({ kind: 'document' });
  expect(some).toMatchObject({
    kind: 'document',
    document: { metadata: { constructor: 'c', toString: true } },
  });
});
