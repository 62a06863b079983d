import { profileSchema, type Collection, type CollectionName, type SparseScheme } from '@embedmill/jobs';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { documentOf, near, sparse, unit } from './conformance-documents.ts';
import type { PointSelection, ScoredPoint, SearchVector, VectorStore } from './store.ts';

/** The order of points with equal scores; a part of `conformance`. */
export function tieConformance(
  store: () => VectorStore,
  create: (change?: Partial<Collection>) => Promise<CollectionName>,
): void {
  describe('equal scores', () => {
    const KINDS = 5;
    const profile = profileSchema.parse({
      sparse: { bm25: {}, splade: {} },
      filterable: { part: 'integer', parts: 'integer' },
    });
    const names: CollectionName[] = [];
    beforeAll(async () => {
      for (const storage of ['float32', 'int8'] as const) {
        const name = await create({ profile: { ...profile, storage } });
        names.push(name);
        const documents = Array.from({ length: 90 }, (_, n) =>
          documentOf(name, `d${n}`, {
            // Most scores are equal to many others, some are unique.
            vectors: [n % KINDS === 4 ? [0.6, 0.8 * Math.cos(n), 0.8 * Math.sin(n), 0] : unit(4, n % 2)],
            sparse: [
              { bm25: sparse({ 1: 1, [2 + (n % KINDS)]: 1 }), splade: sparse({ [n % 3]: 1 + (n % 2) }) },
            ],
            metadata: { part: n % 4, parts: [n % 3, 7] },
          }),
        );
        // Written in two batches, in random order.
        await store().replaceDocuments(name, documents.slice(50).toReversed());
        await store().replaceDocuments(name, documents.slice(0, 50));
      }
    });

    const page = (
      name: CollectionName,
      vector: SearchVector,
      selection: PointSelection,
      from: number,
      to: number,
    ) => store().search(name, { vector, limit: to - from, offset: from, ...selection });

    async function walked(
      name: CollectionName,
      vector: SearchVector,
      selection: PointSelection,
      limit: number,
    ) {
      const all: ScoredPoint[] = [];
      for (;;) {
        const hits = await page(name, vector, selection, all.length, all.length + limit);
        all.push(...hits);
        if (hits.length < limit) return all;
      }
    }

    const termsOf = (scheme: SparseScheme, weights: Record<number, number>): SearchVector => ({
      kind: 'sparse',
      scheme,
      values: sparse(weights),
    });
    const SEARCHES: [string, SearchVector, number][] = [
      ['dense', near(unit(4, 0)), 90],
      ['bm25', termsOf('bm25', { 1: 1 }), 90],
      ['bm25 of a rarer word', termsOf('bm25', { 4: 1 }), 18],
      ['splade', termsOf('splade', { 0: 1, 1: 1 }), 60],
    ];

    test.each(SEARCHES)('come by id, and each once, in pages of any size: %s', async (_, vector, count) => {
      for (const name of names) {
        const whole = await walked(name, vector, {}, 1000);
        expect(whole.length).toBe(count);
        expect(new Set(whole.map(({ id }) => id)).size).toBe(count);
        for (const [n, { id, score }] of whole.slice(1).entries()) {
          const before = whole[n];
          if (before?.score === score) expect(before.id < id).toBe(true);
          else expect(before?.score).toBeGreaterThan(score);
        }
        if (name !== names[0]) continue;
        for (const limit of [1, 2, 3, 5, 7]) {
          const ids = (await walked(name, vector, {}, limit)).map(({ id }) => id);
          expect(ids).toEqual(whole.map(({ id }) => id));
        }
      }
    });

    test('any page is what the whole has there, with any filter', async () => {
      const [name] = names as [CollectionName];
      const anySelection = fc.constantFrom<PointSelection>(
        {},
        { filter: { field: 'part', in: [1, 2] } },
        { filter: { not: { field: 'part', eq: 3 } } },
        // Stores may first find too many points by this condition.
        { filter: { field: 'parts', gte: 1, lte: 6 } },
      );
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom(...SEARCHES),
          anySelection,
          fc.nat({ max: 60 }),
          fc.integer({ min: 1, max: 7 }),
          async ([, vector], selection, from, limit) => {
            const whole = await page(name, vector, selection, 0, 1000);
            const some = await page(name, vector, selection, from, from + limit);
            expect(some).toEqual(whole.slice(from, from + limit));
          },
        ),
        { numRuns: 50 },
      );
    });
  });
}
