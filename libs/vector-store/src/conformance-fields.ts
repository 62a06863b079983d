import {
  profileSchema,
  type Collection,
  type CollectionName,
  type Filter,
  type FilterableType,
  type Json,
} from '@embedmill/jobs';
import { describe, expect, test } from 'vitest';
import { documentOf, idsFound, keyOf, unit } from './conformance-documents.ts';
import type { VectorStore } from './store.ts';

/** Making a field of an existing collection filterable; a part of `conformance`. */
export function fieldConformance(
  store: () => VectorStore,
  create: (change?: Partial<Collection>) => Promise<CollectionName>,
): void {
  describe('a field that is added', () => {
    const FIELDS: [string, FilterableType][] = [
      ['tag', 'keyword'],
      ['author.born', 'integer'],
      ['price', 'float'],
      ['done', 'boolean'],
      ['at', 'datetime'],
      ['about', 'text'],
      ['place', 'geo'],
    ];
    const RECORDS: Record<string, { [key: string]: Json }> = {
      a: {
        year: 2020,
        tag: ['red', 'blue'],
        author: { born: 1815 },
        price: 0.5,
        done: true,
        at: '2024-05-01',
        about: 'A quick fox',
        place: { lat: 52.5, lon: 13.4 },
      },
      b: { year: 1999, tag: 'blue', author: { born: [1912, 1950] }, price: 3, about: 'Lazy dogs' },
      // None of these values has the type.
      c: { year: 5, tag: 7, author: { born: '1815' }, done: 'yes', at: 'soon', about: 3, place: 'here' },
      d: {},
    };
    const CASES: [Filter, string][] = [
      [{ field: 'tag', eq: 'blue' }, 'a b'],
      [{ field: 'tag', in: ['red', 'a'] }, 'a'],
      [{ not: { field: 'tag', eq: 'red' } }, 'b c d'],
      [{ field: 'tag', prefix: 'bl' }, 'a b'],
      [{ field: 'tag', exists: true }, 'a b'],
      [{ field: 'author.born', eq: 1815 }, 'a'],
      [{ field: 'author.born', gte: 1900, lt: 1940 }, 'b'],
      [{ not: { field: 'author.born', lt: 1900 } }, 'b c d'],
      [{ field: 'author.born', missing: true }, 'c d'],
      [{ field: 'price', gt: 0.4, lte: 3 }, 'a b'],
      [{ field: 'done', eq: true }, 'a'],
      [{ field: 'done', missing: true }, 'b c d'],
      [{ field: 'at', gte: '2024-01-01' }, 'a'],
      [{ field: 'about', text: 'fox quick' }, 'a'],
      [{ not: { field: 'about', text: 'fox' } }, 'b c d'],
      [{ field: 'place', geo: { lat: 52.5, lon: 13.4, radius: 10 } }, 'a'],
      [{ field: 'place', exists: false }, 'b c d'],
      // Previously filterable fields and ids are unchanged.
      [{ field: 'year', lt: 2000 }, 'b c'],
      [{ field: 'document_id', in: ['a', 'd', 'red', '"blue"'] }, 'a d'],
      [
        {
          and: [
            { field: 'year', gte: 1990 },
            { field: 'tag', eq: 'blue' },
            { not: { field: 'document_id', eq: 'a' } },
          ],
        },
        'b',
      ],
    ];
    /** Stores agree only on values of the right type; whether another value counts as existing is up to Qdrant. */
    const isCertain = ([filter]: [Filter, string]) => !('missing' in filter || 'exists' in filter);

    async function checked(name: CollectionName, some = CASES): Promise<void> {
      for (const [filter, expected] of some)
        expect([filter, (await idsFound(store(), name, filter)).join(' ')]).toEqual([filter, expected]);
    }

    async function filled(records = RECORDS): Promise<CollectionName> {
      const name = await create({ profile: profileSchema.parse({ filterable: { year: 'integer' } }) });
      const documents = Object.entries(records).map(([id, metadata]) =>
        documentOf(name, id, { metadata, ...(id === 'b' && { chunks: 1 }) }),
      );
      await store().replaceDocuments(name, documents);
      return name;
    }

    test('is found by what was stored before, and by what comes after', async () => {
      const name = await filled();
      await expect(idsFound(store(), name, { field: 'tag', eq: 'blue' })).rejects.toMatchObject({
        code: 'invalid_filter',
      });
      for (const [field, type] of FIELDS) await store().addField(name, field, type);
      const collection = await store().getCollection(name);
      expect(collection?.profile.filterable).toEqual({ year: 'integer', ...Object.fromEntries(FIELDS) });
      expect(collection?.addedFields).toEqual(FIELDS.map(([field]) => field));
      await checked(name, CASES.filter(isCertain));
      // Without values of other types, all conditions find the same in every store.
      await store().replaceDocuments(name, [documentOf(name, 'c', { metadata: { year: 5 } })]);
      await checked(name);
      await store().replaceDocuments(name, [
        documentOf(name, 'e', { metadata: { ...RECORDS['a'], tag: 'new' } }),
      ]);
      expect(await idsFound(store(), name, { field: 'tag', eq: 'new' })).toEqual(['e']);
      expect(await idsFound(store(), name, { field: 'author.born', lte: 1815 })).toEqual(['a', 'e']);
      await store().deleteDocuments(name, [keyOf('e')], 2);
      expect(await store().countPoints(name)).toBe(4);
    });

    test('may be added again as what it is, and not as something else', async () => {
      const name = await filled();
      await store().addField(name, 'tag', 'keyword');
      const once = await store().getCollection(name);
      await store().addField(name, 'tag', 'keyword');
      await store().addField(name, 'year', 'integer');
      expect(await store().getCollection(name)).toEqual(once);
      for (const [field, type] of [
        ['tag', 'text'],
        ['year', 'float'],
      ] as const)
        await expect(store().addField(name, field, type)).rejects.toMatchObject({
          code: 'collection_exists',
        });
      // With its original definition, it still counts as the same collection.
      const { addedFields, ...rest } = once as Collection;
      expect(addedFields).toEqual(['tag']);
      await store().createCollection({
        ...rest,
        profile: profileSchema.parse({ filterable: { year: 'integer' } }),
      });
      const gone = store().addField('conf-none' as CollectionName, 'tag', 'keyword');
      await expect(gone).rejects.toMatchObject({ code: 'collection_not_found' });
    });

    test('is had by documents that are written meanwhile, and by both vectors of a migration', async () => {
      const name = await create({ profile: profileSchema.parse({}) });
      const document = (n: number, tag: string) => documentOf(name, `d${n}`, { metadata: { tag, n } });
      const before = Array.from({ length: 400 }, (_, n) => document(n, n % 2 === 0 ? 'old' : 'odd'));
      await store().replaceDocuments(name, before);
      const adding = [store().addField(name, 'tag', 'keyword'), store().addField(name, 'n', 'integer')];
      for (let n = 0; n < 400; n += 40)
        await store().replaceDocuments(
          name,
          Array.from({ length: 20 }, (_, i) => document(n + i, 'new')),
        );
      await Promise.all(adding);
      expect((await idsFound(store(), name, { field: 'tag', eq: 'new' })).length).toBe(200);
      expect((await idsFound(store(), name, { field: 'tag', in: ['old', 'odd'] })).length).toBe(200);
      expect((await idsFound(store(), name, { field: 'n', gte: 100, lt: 120 })).length).toBe(20);
      expect(await store().countPoints(name)).toBe(400);

      const collection = await store().getCollection(name);
      const other = { name: 'dense_2', model: 'another', dims: 3 };
      await store().updateCollection({ ...(collection as Collection), other });
      const points = await store().scanPoints(name, { limit: 1000 });
      await store().addVectors(
        name,
        points.map(({ id }) => ({ id, values: unit(3, 0) })),
      );
      const hits = await store().search(name, {
        vector: { kind: 'dense', values: unit(3, 0), name: 'dense_2' },
        limit: 1000,
        offset: 0,
        filter: {
          and: [
            { field: 'tag', eq: 'new' },
            { field: 'n', lt: 40 },
          ],
        },
      });
      expect(hits.length).toBe(20);
    });
  });
}
