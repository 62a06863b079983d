import { pointId, SPARSE_SCHEMES, type SparseVector } from '@embedmill/jobs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { documentOf, keyOf } from '../conformance-documents.ts';
import type { DocumentKey, DocumentPoints, FoundDocument, SparseVectors } from '../store.ts';
import {
  packAdditions,
  packDocuments,
  packFound,
  packKeys,
  packPoints,
  unpackAdditions,
  unpackDocuments,
  unpackFound,
  unpackKeys,
  unpackPoints,
} from './packing.ts';

const NAME = 'c' as Parameters<typeof documentOf>[0];
const vector = fc.float32Array({ noNaN: true, maxLength: 6 });
const sparseVector: fc.Arbitrary<SparseVector> = fc
  .uniqueArray(fc.integer({ min: 0, max: 2 ** 32 - 1 }), { maxLength: 5 })
  .map((ids) => ({
    indices: Uint32Array.from(ids).sort(),
    values: Float32Array.from(ids, (_, at) => at + 0.5),
  }));
const chunk = fc.record({
  dense: vector,
  other: fc.option(vector, { nil: undefined }),
  sparse: fc
    .record(Object.fromEntries(SPARSE_SCHEMES.map((scheme) => [scheme, sparseVector])), { requiredKeys: [] })
    .map((vectors): SparseVectors => vectors),
});
const documents: fc.Arbitrary<DocumentPoints[]> = fc.array(
  fc
    .tuple(fc.string({ minLength: 1, unit: 'binary' }), fc.array(chunk, { maxLength: 4 }))
    .map(([id, chunks]) => {
      const document = documentOf(NAME, id, { vectors: chunks.map(({ dense }) => dense) });
      const points = document.points.map((point, at) => ({
        ...point,
        other: chunks[at]?.other,
        sparse: chunks[at]?.sparse,
      }));
      return { ...document, points };
    }),
  { maxLength: 6 },
);

/** Removes derived data and undefined keys. */
function plain(given: unknown): unknown {
  return JSON.parse(
    JSON.stringify(given, (key, value: unknown) => {
      if (key === 'payloadText') return undefined;
      return ArrayBuffer.isView(value) ? [...(value as Float32Array)].map((number) => String(number)) : value;
    }),
  );
}

describe('packed', () => {
  test('documents and points come out as they went in', () => {
    fc.assert(
      fc.property(documents, (given) => {
        expect(plain(unpackDocuments(packDocuments(given)))).toEqual(plain(given));
        const points = given.flatMap((document) => document.points);
        expect(plain(unpackPoints(packPoints(points)))).toEqual(plain(points));
      }),
    );
  });

  test('documents come with their payloads as text, which need not be made again', () => {
    const [document] = unpackDocuments(packDocuments([documentOf(NAME, 'a')]));
    const [point] = document?.points ?? [];
    expect(JSON.parse(point?.payloadText ?? '')).toEqual(point?.payload);
  });

  test('keys come without what else callers have, and what is known of them comes out as it went in', () => {
    const key = keyOf('a');
    expect(unpackKeys(packKeys([{ ...key, text: 'long' } as DocumentKey]))).toEqual([key]);
    const found: (FoundDocument | undefined)[] = [undefined, { state: 'absent', decided: 3 }];
    expect(unpackFound(packFound(found))).toEqual(found);
  });

  test('additions come out as they went in', () => {
    const id = pointId(keyOf('a').tenant, NAME, keyOf('a').id, 0);
    const additions = [
      { id, values: new Float32Array([1, 2]) },
      { id, values: new Float32Array([3]), sequence: 7, hash: 'h' },
    ];
    expect(unpackAdditions(packAdditions(additions))).toEqual(additions);
    expect(unpackAdditions(packAdditions([]))).toEqual([]);
  });

  test('a sparse vector with more ids than weights does not pass for another one', () => {
    const sparse = { bm25: { indices: new Uint32Array([1, 2]), values: new Float32Array([1]) } };
    expect(() => packDocuments([documentOf(NAME, 'a', { sparse: [sparse] })])).toThrow(
      expect.objectContaining({ code: 'store_rejected' }),
    );
  });
});
