import {
  pointId,
  profileSchema,
  type Collection,
  type CollectionName,
  type PointId,
  type TenantId,
} from '@embedmill/jobs';
import { describe, expect, test } from 'vitest';
import { documentOf, keyOf, sparse, unit } from './conformance-documents.ts';
import type {
  CountedField,
  DocumentPoints,
  DocumentScan,
  PointScan,
  ScannedDocument,
  StoredPoint,
  VectorStore,
} from './store.ts';

/** Reading points, by document and by scanning; a part of `conformance`. */
export function pointConformance(
  store: () => VectorStore,
  create: (change?: Partial<Collection>) => Promise<CollectionName>,
): void {
  const profile = profileSchema.parse({ sparse: { bm25: {}, bm42: {} }, filterable: { part: 'integer' } });

  async function pages(name: CollectionName, scan: PointScan): Promise<StoredPoint[][]> {
    const all: StoredPoint[][] = [];
    for (let after = scan.after; ;) {
      const page = await store().scanPoints(name, { ...scan, after });
      all.push(page);
      if (page.length < scan.limit) return all;
      after = page.at(-1)?.id;
    }
  }

  describe('points', () => {
    test('of documents come back with all that was written, in the order asked and by chunk', async () => {
      const name = await create({ profile });
      const a = documentOf(name, 'a', {
        vectors: [
          [0.6, 0.8, 0, 0],
          [0, 0.6, 0, -0.8],
        ],
        sparse: [{ bm25: sparse({ 1: 0.1, 4000000000: 2.5 }), bm42: sparse({ 3: 1 }) }, { bm25: sparse({}) }],
        metadata: { part: 1 },
        image: 'https://example.org/a.png',
      });
      const b = documentOf(name, 'b', { tenant: 'x', title: 'B' });
      await store().replaceDocuments(name, [a, b, documentOf(name, 'c')]);
      const found = await store().getPoints(name, [
        keyOf('b', 'x'),
        keyOf('missing'),
        keyOf('b'),
        keyOf('a'),
        keyOf('a'),
      ]);
      const written = [...b.points, ...a.points];
      expect(found.map(({ id, payload }) => ({ id, payload }))).toEqual(
        written.map(({ id, payload }) => ({ id, payload })),
      );
      for (const [n, point] of found.entries()) {
        for (const [at, number] of (written[n]?.dense ?? []).entries()) {
          expect(point.dense[at]).toBeCloseTo(number, 6);
        }
        expect(point.other).toBeUndefined();
      }
      expect(found.map((point) => point.sparse)).toEqual([
        {},
        { bm25: sparse({ 1: 0.1, 4000000000: 2.5 }), bm42: sparse({ 3: 1 }) },
        {},
      ]);
      expect(await store().getPoints(name, [])).toEqual([]);
    });

    test('are scanned page by page: each once, in the order of ids, as they were written', async () => {
      const name = await create({ profile });
      const documents = Array.from({ length: 300 }, (_, i) =>
        documentOf(name, `d${i}`, { chunks: 1 + (i % 3), metadata: { part: i % 5 } }),
      );
      await store().replaceDocuments(name, documents);
      const written = documents.flatMap((document) => document.points).sort((a, b) => (a.id < b.id ? -1 : 1));
      for (const limit of [7, 600, 1000]) {
        const found = await pages(name, { limit });
        expect(found.flat().map((point) => point.id)).toEqual(written.map((point) => point.id));
      }
      const [first] = await store().scanPoints(name, { limit: 1 });
      expect(first?.payload).toEqual(written[0]?.payload);
      expect(first?.dense).toEqual(written[0]?.dense);
      const rest = await pages(name, { limit: 50, after: written[99]?.id });
      expect(rest.flat().map((point) => point.id)).toEqual(written.slice(100).map((point) => point.id));
    });

    test('are scanned by filter and tenant', async () => {
      const name = await create({ profile });
      await store().replaceDocuments(
        name,
        Array.from({ length: 100 }, (_, i) =>
          documentOf(name, `d${i}`, { tenant: i % 2 === 0 ? 'x' : 'y', metadata: { part: i % 10 } }),
        ),
      );
      const tenant = 'x' as TenantId;
      const count = async (scan: PointScan) => (await pages(name, scan)).flat().length;
      expect(await count({ limit: 9, tenant })).toBe(50);
      expect(await count({ limit: 9, filter: { field: 'part', gte: 8 } })).toBe(20);
      expect(await count({ limit: 5, filter: { field: 'part', eq: 8 }, tenant })).toBe(10);
      expect(await count({ limit: 5, filter: { field: 'part', eq: 9 }, tenant })).toBe(0);
      const unknown = store().scanPoints(name, { limit: 5, filter: { field: 'unknown', eq: 9 } });
      await expect(unknown).rejects.toMatchObject({ code: 'invalid_filter' });
    });

    test('that stay are all in a scan, whatever is written and deleted meanwhile', async () => {
      const name = await create();
      const staying = Array.from({ length: 60 }, (_, i) => documentOf(name, `stays${i}`));
      const going = Array.from({ length: 60 }, (_, i) => documentOf(name, `goes${i}`));
      await store().replaceDocuments(name, [...staying, ...going]);
      const seen: PointId[] = [];
      for (let turn = 0, after: PointId | undefined; ; turn += 1) {
        const page = await store().scanPoints(name, { limit: 10, after });
        seen.push(...page.map((point) => point.id));
        if (page.length < 10) break;
        after = page.at(-1)?.id;
        await store().deleteDocuments(name, [keyOf(`goes${turn}`)], 2);
        await store().replaceDocuments(name, [documentOf(name, `new${turn}`)]);
        // Another scan, which starts later.
        await store().scanPoints(name, { limit: 3 });
      }
      expect(new Set(seen).size).toBe(seen.length);
      const ids = staying.flatMap((document) => document.points.map((point) => point.id));
      expect(seen).toEqual(expect.arrayContaining(ids));
    });

    test('are counted by the documents that they are of, by tenant and by source', async () => {
      const name = await create();
      const sorted = async (by: CountedField, tenant?: TenantId) =>
        (await store().countDocuments(name, by, tenant))
          .map(({ value, documents }) => `${value ?? 'none'} ${documents}`)
          .toSorted();
      expect(await sorted('tenant')).toEqual([]);
      const documents = Array.from({ length: 30 }, (_, i) => {
        const document = documentOf(name, `d${i}`, { chunks: 1 + (i % 3), tenant: i % 10 === 0 ? 'x' : 'y' });
        if (i % 2 === 0)
          for (const { payload } of document.points) payload.source = i < 20 ? 'wiki' : "o'mail";
        return document;
      });
      await store().replaceDocuments(name, documents);
      expect(await sorted('tenant')).toEqual(['x 3', 'y 27']);
      expect(await sorted('source')).toEqual(['none 15', "o'mail 5", 'wiki 10']);
      expect(await sorted('source', 'x' as TenantId)).toEqual(["o'mail 1", 'wiki 2']);
      expect(await sorted('tenant', 'x' as TenantId)).toEqual(['x 3']);
      expect(await sorted('tenant', 'z' as TenantId)).toEqual([]);
      // Replaced documents are counted once, deleted ones no longer.
      await store().replaceDocuments(name, [documents[1], documents[3]] as DocumentPoints[]);
      await store().replaceDocuments(name, [documentOf(name, 'd2', { tenant: 'y' })]);
      await store().deleteDocuments(
        name,
        [keyOf('d0', 'x'), keyOf('d10', 'x'), keyOf('d20', 'x'), keyOf('d20', 'y')],
        2,
      );
      expect(await sorted('tenant')).toEqual(['y 27']);
      expect(await sorted('source')).toEqual(['none 16', "o'mail 4", 'wiki 7']);
    });

    test('are scanned as documents, by tenant, source and filter, page by page', async () => {
      const name = await create({ profile: profileSchema.parse({ filterable: { year: 'integer' } }) });
      const documents = Array.from({ length: 40 }, (_, i) => {
        const shape = { chunks: 1 + (i % 3), tenant: i % 4 === 0 ? 'x' : 'y', metadata: { year: i } };
        const document = documentOf(name, `d${i}`, shape);
        if (i % 2 === 0) for (const { payload } of document.points) payload.source = 'wiki';
        return document;
      });
      await store().replaceDocuments(name, documents);
      await store().deleteDocuments(name, [keyOf('d2', 'y'), keyOf('d3', 'y')], 2);
      const scanned = async (scan: Omit<DocumentScan, 'limit' | 'after'>): Promise<string[]> => {
        const found: ScannedDocument[] = [];
        for (;;) {
          const after = found.at(-1)?.point;
          const page = await store().scanDocuments(name, { ...scan, limit: 7, after });
          found.push(...page);
          if (page.length < 7) break;
        }
        const points = found.map(({ point }) => point);
        expect(points).toEqual(points.toSorted());
        expect(points).toEqual(found.map(({ tenant, id }) => pointId(tenant, name, id, 0)));
        return found.map(({ id }) => id as string).toSorted();
      };
      const ids = (is: (i: number) => boolean) =>
        documents.flatMap(({ id }, i) => (is(i) && i !== 2 && i !== 3 ? (id as string) : [])).toSorted();
      expect(await scanned({})).toEqual(ids(() => true));
      expect(await scanned({ source: 'wiki' })).toEqual(ids((i) => i % 2 === 0));
      expect(await scanned({ source: null })).toEqual(ids((i) => i % 2 === 1));
      expect(await scanned({ source: 'none' })).toEqual([]);
      expect(await scanned({ tenant: 'x' as TenantId, source: 'wiki' })).toEqual(ids((i) => i % 4 === 0));
      const filter = { field: 'year', lt: 10 };
      expect(await scanned({ filter, tenant: 'y' as TenantId })).toEqual(ids((i) => i < 10 && i % 4 > 0));
    });

    test('of an empty collection are none', async () => {
      const name = await create();
      expect(await store().scanPoints(name, { limit: 10 })).toEqual([]);
      expect(await store().getPoints(name, [keyOf('a')])).toEqual([]);
      await store().replaceDocuments(name, [documentOf(name, 'a', { vectors: [unit(4, 1)] })]);
      expect((await store().scanPoints(name, { limit: 10 })).length).toBe(1);
    });
  });
}
