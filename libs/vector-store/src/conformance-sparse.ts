import {
  profileSchema,
  type Collection,
  type CollectionName,
  type SparseScheme,
  type SparseVector,
  type TenantId,
} from '@embedmill/jobs';
import { beforeAll, describe, expect, test } from 'vitest';
import { DEFAULT, documentOf, keyOf, near, onCircle, sparse, stored } from './conformance-documents.ts';
import type { DocumentPoints, PointSelection, SparseVectors, VectorStore } from './store.ts';

const LN2 = Math.log(2);
const LAST_TERM = 2 ** 32 - 1;

/** The results and scores of searches by sparse vectors; a part of `conformance`. */
export function sparseConformance(
  store: () => VectorStore,
  create: (change?: Partial<Collection>) => Promise<CollectionName>,
  { exactFrequencies, largestTerm }: { exactFrequencies: boolean; largestTerm: number },
): void {
  const profile = profileSchema.parse({
    sparse: { bm25: {}, splade: {} },
    filterable: { part: 'integer' },
  });
  const document = (name: CollectionName, id: string, vectors: SparseVectors[], part = 0): DocumentPoints =>
    documentOf(name, id, { chunks: vectors.length, sparse: vectors, metadata: { part } });
  const write = (name: CollectionName, documents: Record<string, Record<number, number>>) =>
    store().replaceDocuments(
      name,
      Object.entries(documents).map(([id, terms]) => document(name, id, [{ bm25: sparse(terms) }])),
    );

  async function search(
    name: CollectionName,
    scheme: SparseScheme,
    values: SparseVector,
    selection: PointSelection & { limit?: number; offset?: number } = {},
  ): Promise<[string, number][]> {
    const vector = { kind: 'sparse', scheme, values } as const;
    const hits = await store().search(name, { vector, limit: 100, offset: 0, ...selection });
    return hits.map((hit) => [hit.payload.document_id, hit.score]);
  }

  function expectScores(found: [string, number][], expected: Record<string, number>): void {
    expect(found.map(([id]) => id).toSorted()).toEqual(Object.keys(expected).toSorted());
    for (const [id, score] of found) expect(score).toBeCloseTo(expected[id] ?? NaN, 5);
    const scores = found.map(([, score]) => score);
    expect(scores).toEqual(scores.toSorted((a, b) => b - a));
  }

  const EXAMPLE = {
    a: { 1: 1, 2: 0.5 },
    b: { 2: 1, 3: 1 },
    c: { 3: 0.7, 4: 0.2 },
    d: { 1: 0.3, 5: 0.9 },
  };

  describe('sparse vectors', () => {
    let name: CollectionName;
    beforeAll(async () => {
      name = await create({ profile });
      await write(name, EXAMPLE);
      await store().replaceDocuments(name, [
        document(name, 'none', [{ bm25: sparse({}) }]),
        document(name, 'absent', [{}]),
        document(name, 'other', [{ splade: sparse({ 1: 0.25, 9: 2 }) }], 1),
        { ...documentOf(name, 'plain'), tenant: DEFAULT },
      ]);
    });

    test('score by idf: of 4 points that have any, 2 have term 1 and 2 have term 3, ln 2 each; 1 has term 5', async () => {
      expectScores(await search(name, 'bm25', sparse({ 1: 1, 3: 1 })), {
        a: LN2,
        b: LN2,
        c: 0.7 * LN2,
        d: 0.3 * LN2,
      });
      expectScores(await search(name, 'bm25', sparse({ 5: 2 })), { d: 2 * 0.9 * Math.log(1 + 3.5 / 1.5) });
    });

    test('score by their weights alone where the scheme has no idf', async () => {
      expectScores(await search(name, 'splade', sparse({ 1: 2, 9: 0.5 })), { other: 1.5 });
    });

    test('find only what shares a term: nothing by terms that nobody has, or by none', async () => {
      expect(await search(name, 'bm25', sparse({ 77: 1 }))).toEqual([]);
      expect(await search(name, 'splade', sparse({ 2: 1 }))).toEqual([]);
      expect(await search(name, 'bm25', sparse({}))).toEqual([]);
      expectScores(await search(name, 'bm25', sparse({ 4: 1, 77: 3 })), {
        c: 0.2 * Math.log(1 + 3.5 / 1.5),
      });
    });

    test('a search tells what it multiplies terms by: 0 for terms that nobody has', async () => {
      const factors = await store().termFactors(name, 'bm25', new Uint32Array([5, 1, 77, 3]));
      const expected = [Math.log(1 + 3.5 / 1.5), LN2, 0, LN2];
      for (const [at, factor] of expected.entries()) expect(factors[at]).toBeCloseTo(factor, 5);
      const plain = await store().termFactors(name, 'splade', new Uint32Array([9, 2, 1]));
      expect([...plain]).toEqual([1, 0, 1]);
      expect((await store().termFactors(name, 'bm25', new Uint32Array())).length).toBe(0);
    });

    test('points are still found by their dense vectors', async () => {
      const hits = await store().search(name, {
        vector: near(new Float32Array([1, 0, 0, 0])),
        limit: 100,
        offset: 0,
      });
      expect(hits.length).toBe(8);
    });

    test.each<[string, SparseVector]>([
      ['ids that do not ascend', raw([2, 1], [1, 1])],
      ['an id twice', raw([2, 2], [1, 1])],
      ['fewer weights than ids', raw([1, 2], [1])],
      ['a weight of 0', raw([1], [0])],
      ['a weight below 0', raw([1], [-1])],
      ['a weight that is no number', raw([1], [NaN])],
    ])('with %s are refused, before anything is written', async (_, vector) => {
      const documents = [
        document(name, 'new', [{ bm25: sparse({ 1: 1 }) }]),
        document(name, 'bad', [{ bm25: vector }]),
      ];
      const rejected = { code: 'store_rejected' };
      await expect(store().replaceDocuments(name, documents)).rejects.toMatchObject(rejected);
      expect(await store().findDocuments(name, [keyOf('new')])).toEqual([undefined]);
      await expect(search(name, 'bm25', vector)).rejects.toMatchObject(rejected);
    });

    test('of a scheme that the profile has not are refused', async () => {
      const rejected = { code: 'store_rejected' };
      const documents = [document(name, 'new', [{ bm42: sparse({ 1: 1 }) }])];
      await expect(store().replaceDocuments(name, documents)).rejects.toMatchObject(rejected);
      await expect(search(name, 'bm42', sparse({ 1: 1 }))).rejects.toMatchObject(rejected);
      await expect(store().termFactors(name, 'bm42', new Uint32Array([1]))).rejects.toMatchObject(rejected);
    });

    test('filters and tenants hold', async () => {
      const own = await create({ profile });
      await store().replaceDocuments(own, [
        document(own, 'a', [{ bm25: sparse({ 1: 1 }) }], 1),
        document(own, 'b', [{ bm25: sparse({ 1: 2 }) }], 2),
        document(own, 'c', [{ bm25: sparse({ 2: 2 }) }], 2),
        documentOf(own, 'd', { tenant: 'x', sparse: [{ bm25: sparse({ 1: 3 }) }], metadata: { part: 2 } }),
      ]);
      const ids = async (selection: PointSelection) =>
        (await search(own, 'bm25', sparse({ 1: 1 }), selection)).map(([id]) => id);
      expect(await ids({})).toEqual(['d', 'b', 'a']);
      expect(await ids({ tenant: DEFAULT })).toEqual(['b', 'a']);
      expect(await ids({ filter: { field: 'part', eq: 2 } })).toEqual(['d', 'b']);
      expect(await ids({ filter: { field: 'part', gte: 2, lt: 3 }, tenant: 'x' as TenantId })).toEqual(['d']);
      expect(await ids({ filter: { field: 'part', eq: 3 } })).toEqual([]);
      await expect(ids({ filter: { field: 'unknown', eq: 3 } })).rejects.toMatchObject({
        code: 'invalid_filter',
      });
    });

    test('points that score alike are all found, on one page or on several', async () => {
      const own = await create({ profile });
      const documents = Array.from({ length: 30 }, (_, i) =>
        document(own, `d${i}`, [{ bm25: sparse({ 7: 0.5 }) }]),
      );
      await store().replaceDocuments(own, documents);
      const whole = await search(own, 'bm25', sparse({ 7: 1 }));
      expect(new Set(whole.map(([id]) => id)).size).toBe(30);
      expect(new Set(whole.map(([, score]) => score.toFixed(5))).size).toBe(1);
      expect((await search(own, 'bm25', sparse({ 7: 1 }), { limit: 20, offset: 20 })).length).toBe(10);
    });

    test(`terms have ids from 0 to ${largestTerm}`, async () => {
      const own = await create({ profile });
      const terms = { 0: 1, 2147483648: 2, [largestTerm - 1]: 3, [largestTerm]: 4 };
      await write(own, { a: terms });
      const idf = Math.log(1 + 0.5 / 1.5);
      for (const [term, weight] of Object.entries(terms)) {
        expectScores(await search(own, 'bm25', sparse({ [term]: 1 })), { a: weight * idf });
      }
      const [point] = await store().getPoints(own, [keyOf('a')]);
      expect(point?.sparse).toEqual({ bm25: sparse(terms) });
    });

    if (largestTerm < LAST_TERM)
      test('a term that the store cannot hold is refused, and found nowhere', async () => {
        const own = await create({ profile });
        await expect(write(own, { a: { 1: 1, [LAST_TERM]: 1 } })).rejects.toMatchObject({
          code: 'store_rejected',
        });
        await write(own, { b: { 1: 1 } });
        expectScores(await search(own, 'bm25', sparse({ 1: 1, [LAST_TERM]: 1 })), {
          b: Math.log(1 + 0.5 / 1.5),
        });
        expect(await search(own, 'splade', sparse({ [LAST_TERM]: 1 }))).toEqual([]);
        const [factor] = await store().termFactors(own, 'splade', new Uint32Array([LAST_TERM]));
        expect(factor).toBe(0);
      });

    test.runIf(exactFrequencies)(
      'idf follows what is replaced and deleted (skipped without exact frequencies)',
      async () => {
        const own = await create({ profile });
        await write(own, EXAMPLE);
        await write(own, EXAMPLE);
        expectScores(await search(own, 'bm25', sparse({ 5: 1 })), { d: 0.9 * Math.log(1 + 3.5 / 1.5) });
        // Now 3 of 4 documents have term 1; then 1 of 3 is left.
        await write(own, { b: { 1: 1 } });
        expectScores(await search(own, 'bm25', sparse({ 1: 1 })), {
          a: Math.log(1 + 1.5 / 3.5),
          b: Math.log(1 + 1.5 / 3.5),
          d: 0.3 * Math.log(1 + 1.5 / 3.5),
        });
        await store().deleteDocuments(own, [keyOf('a'), keyOf('d'), keyOf('missing')], 2);
        await write(own, { e: { 6: 1 } });
        expectScores(await search(own, 'bm25', sparse({ 1: 1 })), { b: Math.log(1 + 2.5 / 1.5) });
        // A document that gets fewer chunks, without terms.
        await store().replaceDocuments(own, [
          document(own, 'many', [{ bm25: sparse({ 8: 1 }) }, { bm25: sparse({ 8: 1 }) }, {}]),
        ]);
        expect((await store().termFactors(own, 'bm25', new Uint32Array([8])))[0]).toBeCloseTo(
          Math.log(1 + 3.5 / 2.5),
          5,
        );
        await store().replaceDocuments(own, [document(own, 'many', [{ bm25: sparse({ 8: 1 }) }])]);
        expect((await store().termFactors(own, 'bm25', new Uint32Array([8])))[0]).toBeCloseTo(
          Math.log(1 + 3.5 / 1.5),
          5,
        );
        await store().replaceDocuments(own, [document(own, 'many', [{}])]);
        expect(await store().termFactors(own, 'bm25', new Uint32Array([8]))).toEqual(new Float32Array(1));
        expect(await store().findDocuments(own, [keyOf('many')])).toEqual([stored('many', 1)]);
      },
    );
  });

  describe.each(['int8', 'binary'] as const)('dense vectors stored as %s', (storage) => {
    test('are found by their whole numbers in the end, and come back whole', async () => {
      const own = await create({ dims: 8, profile: profileSchema.parse({ storage }) });
      const parts = Array.from({ length: 300 }, (_, i) => i / 300);
      await store().replaceDocuments(
        own,
        parts.map((part, i) => documentOf(own, `d${i}`, { vectors: [onCircle(part)] })),
      );
      const hits = await store().search(own, { vector: near(onCircle(0.25)), limit: 10, offset: 0 });
      expect(hits.length).toBe(10);
      for (const { score, payload } of hits) {
        const angle = (Number(payload.document_id.slice(1)) / 300 - 0.25) * 2 * Math.PI;
        expect(score).toBeCloseTo(Math.cos(angle), 5);
      }
      if (storage === 'int8') expect(hits[0]?.payload.document_id).toBe('d75');
      const [point] = await store().getPoints(own, [keyOf('d10')]);
      for (const [at, number] of onCircle(10 / 300).entries()) {
        expect(point?.dense[at]).toBeCloseTo(number, 6);
      }
    });
  });
}

function raw(indices: number[], values: number[]): SparseVector {
  return { indices: new Uint32Array(indices), values: new Float32Array(values) };
}
