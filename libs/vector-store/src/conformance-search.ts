import {
  profileSchema,
  type Collection,
  type CollectionName,
  type Filter,
  type PointId,
  type TenantId,
} from '@embedmill/jobs';
import { describe, expect, test } from 'vitest';
import {
  DEFAULT,
  documentOf,
  idsFound,
  keyOf,
  near,
  onCircle,
  sparse,
  stored,
  unit,
} from './conformance-documents.ts';
import type { NearSearch, VectorStore } from './store.ts';

/** The behaviour of single and concurrent searches in every store; a part of `conformance`. */
export function searchConformance(
  store: () => VectorStore,
  create: (change?: Partial<Collection>) => Promise<CollectionName>,
): void {
  describe('searching', () => {
    test('a tenant sees its own points only', async () => {
      const name = await create();
      await store().replaceDocuments(name, [
        documentOf(name, 'a', { tenant: "o'x" }),
        documentOf(name, 'b', { tenant: "o'y" }),
        documentOf(name, 'c'),
      ]);
      expect(await idsFound(store(), name, undefined, "o'x" as TenantId)).toEqual(['a']);
      expect(
        await idsFound(store(), name, { field: 'document_id', in: ['a', 'b'] }, "o'y" as TenantId),
      ).toEqual(['b']);
      expect(await idsFound(store(), name, undefined, 'nobody' as TenantId)).toEqual([]);
      expect(await idsFound(store(), name)).toEqual(['a', 'b', 'c']);
      expect(await store().countPoints(name, "o'x" as TenantId)).toBe(1);
      expect(await store().countPoints(name, 'nobody' as TenantId)).toBe(0);
    });

    test('several searches at once find what each finds, without payloads; those are read by ids', async () => {
      const name = await create({ profile: profileSchema.parse({ sparse: { bm25: {} } }) });
      const documents = Array.from({ length: 20 }, (_, i) =>
        documentOf(name, `d${i}`, {
          vectors: [unit(4, i % 2)],
          sparse: [{ bm25: sparse({ [i % 3]: 1 }) }],
          tenant: i < 15 ? 'x' : 'y',
        }),
      );
      await store().replaceDocuments(name, documents);
      const page = { limit: 4, offset: 2, tenant: 'x' as TenantId };
      const terms = (weights: Record<number, number>) =>
        ({ kind: 'sparse', scheme: 'bm25', values: sparse(weights) }) as const;
      const searches = [near(unit(4, 0)), terms({ 1: 1 }), terms({}), near(unit(4, 1))].map((vector) => ({
        ...page,
        vector,
      }));
      const ranked = await store().rank(name, searches);
      const found = await Promise.all(searches.map((search) => store().search(name, search)));
      expect(ranked).toEqual(found.map((points) => points.map(({ id, score }) => ({ id, score }))));
      expect(ranked.map((points) => points.length)).toEqual([4, 3, 0, 4]);

      const gone = '00000000-0000-5000-8000-000000000000' as PointId;
      const ids = ranked.flat().map(({ id }) => id);
      const payloads = await store().getPayloads(name, [gone, ...ids]);
      for (const { id, payload } of found.flat()) expect(payloads.get(id)).toEqual(payload);
      expect(payloads.size).toBe(new Set(ids).size);
      expect(await store().rank(name, [])).toEqual([]);
    });

    test('vectors are read by ids, of one tenant where it is named', async () => {
      const name = await create({ profile: profileSchema.parse({ sparse: { bm25: {} } }) });
      const documents = Array.from({ length: 300 }, (_, i) =>
        documentOf(name, `d${i}`, {
          vectors: [unit(4, i % 4)],
          sparse: [i % 5 === 0 ? {} : { bm25: sparse({ [i]: 2 }) }],
          tenant: i % 2 === 0 ? "o'x" : 'y',
        }),
      );
      await store().replaceDocuments(name, documents);
      const points = documents.flatMap((document) => document.points);
      const gone = '00000000-0000-5000-8000-000000000000' as PointId;
      const ids = [gone, ...points.map(({ id }) => id)];
      const found = await store().getVectors(name, ids);
      expect(found.size).toBe(300);
      for (const [n, { id }] of points.entries()) {
        expect(found.get(id)?.dense).toEqual(unit(4, n % 4));
        expect(found.get(id)?.sparse).toEqual(n % 5 === 0 ? {} : { bm25: sparse({ [n]: 2 }) });
      }
      const own = await store().getVectors(name, ids, "o'x" as TenantId);
      expect([...own.keys()].toSorted()).toEqual(
        points.flatMap(({ id }, n) => (n % 2 === 0 ? id : [])).toSorted(),
      );
      expect(await store().getVectors(name, [])).toEqual(new Map());
      const dense = await store().getDense(name, ids);
      expect(dense).toEqual(new Map([...found].map(([id, vectors]) => [id, vectors.dense])));
      expect([...(await store().getDense(name, ids, "o'x" as TenantId)).keys()]).toEqual([...own.keys()]);
    });

    test('points near to others are found by their ids: those alike, of the selection, not themselves', async () => {
      const name = await create({ dims: 8 });
      const documents = [0, 0, 0.001, 0.25, 0.26].map((place, i) =>
        documentOf(name, `d${i}`, { vectors: [onCircle(place)], tenant: i === 1 ? 'y' : 'x' }),
      );
      await store().replaceDocuments(name, documents);
      const idOf = (i: number) => documents[i]?.points[0]?.id as PointId;
      const gone = '00000000-0000-5000-8000-000000000000' as PointId;
      const near = async (ids: PointId[], change: Partial<NearSearch> = {}) =>
        (await store().findNear(name, ids, { threshold: 0.9, limit: 10, ...change })).map((points) =>
          points.map(({ id }) => id),
        );
      expect(await near([idOf(0), gone, idOf(3)])).toEqual([[idOf(1), idOf(2)], [], [idOf(4)]]);
      expect(await near([idOf(0)], { tenant: 'x' as TenantId })).toEqual([[idOf(2)]]);
      expect(await near([idOf(0)], { limit: 1 })).toEqual([[idOf(1)]]);
      expect(await near([idOf(0)], { threshold: 0.99999 })).toEqual([[idOf(1)]]);
      const [first] = await store().findNear(name, [idOf(0)], { threshold: 0.9, limit: 1 });
      expect(first?.[0]?.score).toBeCloseTo(1, 5);
    });

    test('many searches, look-ups and writes at once all come to an end', async () => {
      const name = await create({ profile: profileSchema.parse({ filterable: { part: 'integer' } }) });
      const documents = Array.from({ length: 600 }, (_, i) =>
        documentOf(name, `d${i}`, { chunks: 2, metadata: { part: i % 10 } }),
      );
      await store().replaceDocuments(name, documents);
      const filter: Filter = { or: [{ field: 'part', eq: 3 }, { not: { field: 'part', gt: 1 } }] };
      const work = Array.from({ length: 150 }, (_, i): Promise<unknown> => {
        if (i % 30 === 0) return store().replaceDocuments(name, documents.slice(4 * i, 4 * i + 30));
        if (i % 10 === 0) return store().findDocuments(name, documents);
        return store().search(name, {
          vector: near(unit(4, i % 4)),
          limit: 10,
          offset: 0,
          filter,
          tenant: DEFAULT,
        });
      });
      expect((await Promise.all(work)).length).toBe(150);
      expect(await store().countPoints(name)).toBe(1200);
    });

    test('10,000 points: pages follow one another, filters hold, all documents are found', async () => {
      const name = await create({
        dims: 8,
        profile: profileSchema.parse({ filterable: { part: 'integer' } }),
      });
      const documents = Array.from({ length: 10_000 }, (_, i) =>
        documentOf(name, `d${i}`, { vectors: [onCircle(i / 10_000)], metadata: { part: i % 10 } }),
      );
      for (let from = 0; from < documents.length; from += 2000) {
        await store().replaceDocuments(name, documents.slice(from, from + 2000));
      }
      expect(await store().countPoints(name)).toBe(10_000);

      const page = (limit: number, offset: number, filter?: Filter) =>
        store().search(name, { vector: near(onCircle(0)), limit, offset, filter });
      const first = await page(10, 0);
      expect(first.map((hit) => hit.payload.document_id)).toContain('d0');
      expect(first[0]?.score).toBeCloseTo(1, 5);
      const both = (await page(20, 0)).map((hit) => hit.score.toFixed(5));
      const split = [...first, ...(await page(10, 10))].map((hit) => hit.score.toFixed(5));
      expect(split).toEqual(both);
      expect((await page(10, 9_995)).length).toBe(5);
      expect(await page(10, 20_000)).toEqual([]);

      const filtered = await page(1000, 0, { field: 'part', in: [3, 4] });
      expect(filtered.length).toBe(1000);
      expect(new Set(filtered.map((hit) => hit.payload.metadata['part']))).toEqual(new Set([3, 4]));

      const keys = documents.toReversed().map(({ tenant, id }) => ({ tenant, id }));
      const found = await store().findDocuments(name, [...keys, keyOf('none')]);
      expect(found.slice(0, 2)).toEqual([stored('d9999', 1), stored('d9998', 1)]);
      expect(found.filter((one) => one !== undefined).length).toBe(10_000);
    });
  });
}
