import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { profileSchema, type Collection } from '@embedmill/jobs';
import type { StoredPoint } from '@embedmill/vector-store';
import { isSameContent } from './unchanged-vectors.ts';
import { StoredVectors, vectorHashes, type Revisions } from './vector-hashes.ts';

const collection: Collection = {
  name: 'c',
  profile: profileSchema.parse({ sparse: { bm42: {}, splade: {} }, lateInteraction: {} }),
  dims: 2,
  vector: 'dense',
  other: { name: 'dense_2', model: 'another', dims: 3 },
  createdAt: new Date(0).toISOString(),
};
const revisions: Revisions = { own: 'r1', other: 'r2', splade: 'r3' };
const inputs = fc.record({
  ids: fc.array(fc.nat(30_000), { maxLength: 8 }).map((ids) => Int32Array.from(ids)),
  text: fc.string({ unit: 'grapheme', maxLength: 8 }),
});

describe('hashes', () => {
  it('are equal of equal inputs, and of no others', () => {
    fc.assert(
      fc.property(inputs, inputs, (one, other) => {
        const [a, b] = [one, other].map((input) =>
          vectorHashes({ ...input, otherIds: input.ids }, collection, revisions),
        );
        const isSame = one.text === other.text && `${one.ids}` === `${other.ids}`;
        expect(a?.dense === b?.dense).toBe(isSame);
        expect(a?.splade === b?.splade).toBe(one.text === other.text);
        expect(a?.dense_2 === b?.dense_2).toBe(isSame);
      }),
    );
  });

  it.each([
    ['dense', { revisions: { ...revisions, own: 'r9' } }],
    ['bm42', { revisions: { ...revisions, own: 'r9' } }],
    ['dense_2', { revisions: { ...revisions, other: 'r9' } }],
    ['splade', { revisions: { ...revisions, splade: 'r9' } }],
    ['dense', { collection: { ...collection, dims: 3 } }],
    ['tokens', { collection: { ...collection, dims: 3 } }],
    ['tokens', { revisions: { ...revisions, own: 'r9' } }],
    [
      'tokens',
      {
        collection: {
          ...collection,
          profile: { ...collection.profile, lateInteraction: { poolFactor: 3 } },
        },
      },
    ],
    [
      'splade',
      {
        collection: {
          ...collection,
          profile: profileSchema.parse({ sparse: { bm42: {}, splade: { maxTerms: 9 } } }),
        },
      },
    ],
    [
      'bm42',
      {
        collection: {
          ...collection,
          profile: profileSchema.parse({ sparse: { bm42: { language: 'german' }, splade: {} } }),
        },
      },
    ],
  ] as const)('of %s change with what it depends on', (name, change) => {
    const input = { ids: Int32Array.of(1, 2), otherIds: Int32Array.of(3), text: 'a' };
    const before = vectorHashes(input, collection, revisions);
    const after = vectorHashes(
      input,
      'collection' in change ? change.collection : collection,
      'revisions' in change ? change.revisions : revisions,
    );
    expect(after[name]).not.toBe(before[name]);
  });
});

const hashes = { dense: 'h', dense_2: 'i', bm42: 'j', splade: 'k', tokens: 'l' };
const point = (change: object = {}, payload: object = {}): StoredPoint =>
  ({
    dense: Float32Array.of(1, 0),
    other: Float32Array.of(1, 0, 0),
    tokens: Int8Array.of(127, 0),
    sparse: { splade: { indices: Uint32Array.of(7), values: Float32Array.of(1) } },
    payload: { chunk_index: 0, chunk_count: 1, content: 'x', hashes, image: null, ...payload },
    ...change,
  }) as unknown as StoredPoint;

describe('stored vectors', () => {
  it('are found by what they were computed from, an empty one as well', () => {
    const stored = new StoredVectors().add([point()], collection);
    expect(stored.dense('dense', hashes)).toEqual(Float32Array.of(1, 0));
    expect(stored.dense('dense_2', hashes)).toEqual(Float32Array.of(1, 0, 0));
    expect(stored.sparse('splade', hashes)?.vector?.indices).toEqual(Uint32Array.of(7));
    expect(stored.sparse('bm42', hashes)).toEqual({ vector: undefined });
    expect(stored.tokens(hashes)).toEqual(Int8Array.of(127, 0));
    expect(stored.tokens({ tokens: 'other' })).toBeUndefined();
    expect(stored.dense('dense', { dense: 'other' })).toBeUndefined();
    expect(stored.dense('dense', {})).toBeUndefined();
    expect(stored.sparse('splade', { splade: 'other' })).toBeUndefined();
  });

  it('of points without hashes are none', () => {
    const stored = new StoredVectors().add([point({}, { hashes: undefined })], collection);
    expect(stored.dense('dense', {})).toBeUndefined();
    expect(stored.tokens({})).toBeUndefined();
    expect(stored.sparse('splade', {})).toBeUndefined();
  });
});

describe('only the payload is to be written', () => {
  it('where content, chunks and vectors are all there', () => {
    expect(isSameContent([point()], 'x', collection)).toBe(true);
  });

  it.each([
    ['another content', [point({}, { content: 'y' })]],
    ['no content, as documents of old', [point({}, { content: undefined })]],
    ['a chunk missing', [point({}, { chunk_count: 2 })]],
    ['two of a number', [point({}, { chunk_count: 2 }), point({}, { chunk_count: 2 })]],
    ['no second vector', [point({ other: undefined })]],
    ['no token vectors', [point({ tokens: undefined })]],
    ['a scheme that was never asked', [point({}, { hashes: { dense: 'h' } })]],
    ['nothing', []],
  ])('not with %s', (_, points) => {
    expect(isSameContent(points as StoredPoint[], 'x', collection)).toBe(false);
  });
});
