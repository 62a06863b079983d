import { randomBytes } from 'node:crypto';
import { profileSchema, type Collection, type CollectionName } from '@embedmill/jobs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { absent, DEFAULT, documentOf, keyOf, near, stored, unit } from './conformance-documents.ts';
import { fieldConformance } from './conformance-fields.ts';
import { filterConformance } from './conformance-filters.ts';
import { aliasConformance } from './conformance-aliases.ts';
import { migrationConformance } from './conformance-migration.ts';
import { orderConformance } from './conformance-order.ts';
import { pointConformance } from './conformance-points.ts';
import { searchConformance } from './conformance-search.ts';
import { sparseConformance } from './conformance-sparse.ts';
import { tieConformance } from './conformance-ties.ts';
import { tokenConformance } from './conformance-tokens.ts';
import type { VectorStore } from './store.ts';

/**
 * Tests of the behaviour that every store must have; run them with each kind of store. Collections get unique names and
 * are deleted afterwards, so the server may also have other data.
 */
export function conformance(
  title: string,
  openStore: () => Promise<OpenedStore>,
  { exactFrequencies = true, largestTerm = 2 ** 32 - 1, tokenVectors = true }: ConformanceOptions = {},
): void {
  describe(title, () => {
    let opened: OpenedStore;
    let store: VectorStore;
    const run = `conf-${randomBytes(4).toString('hex')}`;
    const names: CollectionName[] = [];

    beforeAll(async () => {
      opened = await openStore();
      store = opened.store;
    });
    afterAll(async () => {
      for (const name of names) await store.deleteCollection(name);
      await opened.release();
    });

    const definition = (change: Partial<Collection> = {}): Collection => {
      const name = `${run}-${names.length}` as CollectionName;
      names.push(name);
      return {
        name,
        dims: 4,
        vector: 'dense',
        createdAt: '2026-01-01T00:00:00.000Z',
        profile: profileSchema.parse({}),
        ...change,
      };
    };
    const create = async (change: Partial<Collection> = {}): Promise<CollectionName> => {
      const collection = definition(change);
      await store.createCollection(collection);
      return collection.name as CollectionName;
    };

    describe('collections', () => {
      test('a created collection is got and listed as it was created', async () => {
        const collection = definition({
          profile: profileSchema.parse({
            chunking: { mode: 'document' },
            filterable: { tags: 'keyword', year: 'integer', price: 'float', done: 'boolean', at: 'datetime' },
          }),
        });
        await store.createCollection(collection);
        expect(await store.getCollection(collection.name as CollectionName)).toEqual(collection);
        expect(await store.listCollections()).toContainEqual(collection);
        expect(await store.countPoints(collection.name as CollectionName)).toBe(0);
      });

      test('creating one again with the same profile changes nothing, whenever and in whatever order', async () => {
        const profile = profileSchema.parse({ filterable: { a: 'keyword', b: 'integer' } });
        const name = await create({ profile });
        await store.replaceDocuments(name, [documentOf(name, 'a')]);
        const reordered = profileSchema.parse({ filterable: { b: 'integer', a: 'keyword' } });
        const again = { ...definition(), name, createdAt: '2027-01-01T00:00:00.000Z', profile: reordered };
        await store.createCollection(again);
        expect(await store.countPoints(name)).toBe(1);
        expect((await store.getCollection(name))?.createdAt).toBe('2026-01-01T00:00:00.000Z');
      });

      test.each([
        ['another model', { profile: profileSchema.parse({ model: 'another' }) }],
        ['another size', { dims: 5 }],
        ['other fields', { profile: profileSchema.parse({ filterable: { year: 'integer' } }) }],
      ])('creating one again with %s is refused', async (_, change) => {
        const name = await create();
        const other = { ...definition(), ...change, name };
        await expect(store.createCollection(other)).rejects.toMatchObject({ code: 'collection_exists' });
      });

      test('two that create the same one at once both succeed', async () => {
        const collection = definition({ profile: profileSchema.parse({ filterable: { year: 'integer' } }) });
        await Promise.all([store.createCollection(collection), store.createCollection(collection)]);
        expect(await store.getCollection(collection.name as CollectionName)).toEqual(collection);
      });

      test('a deleted collection is gone with its points, and its name is free', async () => {
        const name = await create();
        await store.replaceDocuments(name, [documentOf(name, 'a')]);
        expect(await store.deleteCollection(name)).toBe(true);
        expect(await store.deleteCollection(name)).toBe(false);
        expect(await store.getCollection(name)).toBeUndefined();
        await store.createCollection({ ...definition(), name, dims: 3 });
        expect(await store.countPoints(name)).toBe(0);
        await store.replaceDocuments(name, [documentOf(name, 'a', { vectors: [unit(3, 0)] })]);
        expect(await store.countPoints(name)).toBe(1);
      });

      test('every call on a missing collection fails with collection_not_found', async () => {
        const name = `${run}-none` as CollectionName;
        const calls = [
          () => store.countPoints(name),
          () => store.findDocuments(name, [keyOf('a')]),
          () => store.replaceDocuments(name, [documentOf(name, 'a')]),
          () => store.deleteDocuments(name, [keyOf('a')], 2),
          () => store.search(name, { vector: near(unit(4, 0)), limit: 1, offset: 0 }),
          () => store.getPoints(name, [keyOf('a')]),
          () => store.scanPoints(name, { limit: 1 }),
          () => store.addVectors(name, []),
          () => store.maxSimilarities(name, [], new Int8Array()),
          () => store.termFactors(name, 'bm25', new Uint32Array([1])),
        ];
        for (const call of calls)
          await expect(call()).rejects.toMatchObject({ code: 'collection_not_found' });
        expect(await store.getCollection(name)).toBeUndefined();
      });

      test('it answers a ping', async () => {
        await expect(store.ping()).resolves.toBeUndefined();
      });
    });

    describe('writing', () => {
      test('a point comes back as it was written, with its cosine similarity', async () => {
        const name = await create();
        const metadata = {
          text: 'Grüße, 日本, 🦊 "quoted" \\ \u0000 end',
          nested: { list: [1, null, { deep: true }], empty: {} },
          large: 2 ** 60,
          tiny: 1e-300,
        };
        const document = documentOf(name, 'ключ/🗝 "1"', {
          metadata,
          vectors: [[0.6, 0.8, 0, 0]],
          title: 'Ti\ntle',
        });
        await store.replaceDocuments(name, [document]);
        const [hit, ...others] = await store.search(name, { vector: near(unit(4, 0)), limit: 10, offset: 0 });
        expect(others).toEqual([]);
        expect(hit?.id).toBe(document.points[0]?.id);
        expect(hit?.payload).toEqual(document.points[0]?.payload);
        expect(hit?.score).toBeCloseTo(0.6, 5);
      });

      test('hits come nearest first, opposite ones with a score of -1', async () => {
        const name = await create();
        await store.replaceDocuments(name, [
          documentOf(name, 'far', { vectors: [[-1, 0, 0, 0]] }),
          documentOf(name, 'near', { vectors: [[0.8, 0.6, 0, 0]] }),
          documentOf(name, 'same', { vectors: [[1, 0, 0, 0]] }),
          documentOf(name, 'square', { vectors: [[0, 1, 0, 0]] }),
        ]);
        const hits = await store.search(name, { vector: near(unit(4, 0)), limit: 10, offset: 0 });
        expect(hits.map((hit) => hit.payload.document_id)).toEqual(['same', 'near', 'square', 'far']);
        for (const [i, score] of [1, 0.8, 0, -1].entries()) expect(hits[i]?.score).toBeCloseTo(score, 5);
      });

      test('a vector that is a view into a larger array is stored as that view', async () => {
        const name = await create();
        const all = new Float32Array([9, 1, 0, 0, 0, 0, 1, 0, 0, 9]);
        const views = [all.subarray(1, 5), all.subarray(5, 9)];
        await store.replaceDocuments(name, [documentOf(name, 'a', { vectors: views })]);
        const hits = await store.search(name, { vector: near(all.subarray(5, 9)), limit: 10, offset: 0 });
        expect(hits.map((hit) => [hit.payload.chunk_index, hit.score.toFixed(3)])).toEqual([
          [1, '1.000'],
          [0, '0.000'],
        ]);
      });

      test('writing the same document again leaves one', async () => {
        const name = await create();
        const document = documentOf(name, 'a', { chunks: 3 });
        await store.replaceDocuments(name, [document]);
        await store.replaceDocuments(name, [document]);
        expect(await store.countPoints(name)).toBe(3);
        expect(await store.findDocuments(name, [keyOf('a')])).toEqual([stored('a', 3)]);
      });

      test.each([
        [1, 1],
        [1, 4],
        [4, 1],
        [4, 2],
        [2, 4],
        [3, 0],
      ])(
        'of a document of %i chunks replaced by one of %i just the new ones exist',
        async (before, after) => {
          const name = await create();
          const others = [
            documentOf(name, 'other', { chunks: 5 }),
            documentOf(name, 'a', { chunks: 5, tenant: 'b' }),
          ];
          await store.replaceDocuments(name, [...others, documentOf(name, 'a', { chunks: before })]);
          const next = documentOf(name, 'a', { chunks: after, fingerprint: 'new' });
          await store.replaceDocuments(name, [next]);
          const hits = await store.search(name, {
            vector: near(unit(4, 0)),
            limit: 100,
            offset: 0,
            filter: { field: 'document_id', eq: 'a' },
            tenant: DEFAULT,
          });
          const byIndex = hits.map((hit) => hit.payload).toSorted((a, b) => a.chunk_index - b.chunk_index);
          expect(byIndex).toEqual(next.points.map((point) => point.payload));
          expect(await store.countPoints(name)).toBe(10 + after);
          expect(await store.findDocuments(name, [keyOf('a')])).toEqual([
            after === 0 ? absent(1) : { ...stored('a', after), fingerprint: 'new' },
          ]);
        },
      );

      test('of a document given twice in one call the later one stays', async () => {
        const name = await create();
        await store.replaceDocuments(name, [
          documentOf(name, 'a', { chunks: 4, fingerprint: 'first' }),
          documentOf(name, 'a', { chunks: 2, fingerprint: 'second' }),
        ]);
        expect(await store.findDocuments(name, [keyOf('a')])).toEqual([
          { ...stored('a', 2), fingerprint: 'second' },
        ]);
        expect(await store.countPoints(name)).toBe(2);
      });

      test('an empty list of documents does nothing', async () => {
        const name = await create();
        await store.replaceDocuments(name, []);
        await store.deleteDocuments(name, [], 2);
        expect(await store.findDocuments(name, [])).toEqual([]);
        expect(await store.countPoints(name)).toBe(0);
      });

      test('a vector of another size is refused before anything is written', async () => {
        const name = await create();
        const documents = [
          documentOf(name, 'good'),
          documentOf(name, 'bad', { vectors: [unit(4, 0), unit(3, 0)] }),
        ];
        await expect(store.replaceDocuments(name, documents)).rejects.toMatchObject({
          code: 'dimension_mismatch',
        });
        expect(await store.countPoints(name)).toBe(0);
        const search = store.search(name, { vector: near(unit(5, 0)), limit: 1, offset: 0 });
        await expect(search).rejects.toMatchObject({ code: 'dimension_mismatch' });
      });

      test.each([[NaN], [Infinity]])(
        'a vector with %f in it is refused before anything is written',
        async (number) => {
          const name = await create();
          const documents = [
            documentOf(name, 'good'),
            documentOf(name, 'bad', { vectors: [[1, 0, 0, number]] }),
          ];
          await expect(store.replaceDocuments(name, documents)).rejects.toMatchObject({
            code: 'store_rejected',
          });
          expect(await store.countPoints(name)).toBe(0);
        },
      );

      test('a document of 5,000 chunks is written and shrinks to 2', async () => {
        const name = await create();
        await store.replaceDocuments(name, [documentOf(name, 'big', { chunks: 5000 })]);
        expect(await store.countPoints(name)).toBe(5000);
        expect(await store.findDocuments(name, [keyOf('big')])).toEqual([stored('big', 5000)]);
        await store.replaceDocuments(name, [documentOf(name, 'big', { chunks: 2 })]);
        expect(await store.countPoints(name)).toBe(2);
      });

      test('writers of different documents do not disturb one another', async () => {
        const name = await create();
        const writes = Array.from({ length: 8 }, (_, writer) =>
          store.replaceDocuments(
            name,
            Array.from({ length: 20 }, (_, i) => documentOf(name, `${writer}-${i}`, { chunks: 1 + (i % 3) })),
          ),
        );
        await Promise.all(writes);
        expect(await store.countPoints(name)).toBe(8 * (7 + 2 * 7 + 3 * 6));
      });
    });

    describe('documents', () => {
      test('found ones come in the order asked, by tenant and id', async () => {
        const name = await create();
        await store.replaceDocuments(name, [
          documentOf(name, 'a', { chunks: 2 }),
          documentOf(name, 'b', { tenant: 'x' }),
          documentOf(name, '["default","c"]'),
        ]);
        const keys = [
          keyOf('b'),
          keyOf('["default","c"]'),
          keyOf('b', 'x'),
          keyOf('missing'),
          keyOf('a'),
          keyOf('a'),
        ];
        expect(await store.findDocuments(name, keys)).toEqual([
          undefined,
          stored('["default","c"]', 1),
          stored('b', 1),
          undefined,
          stored('a', 2),
          stored('a', 2),
        ]);
      });

      test('a document whose chunk 0 is missing is not found, and can be written again', async () => {
        const name = await create();
        const whole = documentOf(name, 'a', { chunks: 3 });
        await store.replaceDocuments(name, [{ ...whole, points: whole.points.slice(1) }]);
        const [cut] = await store.findDocuments(name, [keyOf('a')]);
        expect(cut?.state).not.toBe('stored');
        await store.replaceDocuments(name, [whole]);
        expect(await store.findDocuments(name, [keyOf('a')])).toEqual([stored('a', 3)]);
        expect(await store.countPoints(name)).toBe(3);
      });

      test('deleting takes all chunks of just these documents of these tenants', async () => {
        const name = await create();
        await store.replaceDocuments(name, [
          documentOf(name, 'a', { chunks: 3 }),
          documentOf(name, 'a', { chunks: 2, tenant: 'x' }),
          documentOf(name, "it's", { chunks: 2 }),
          documentOf(name, 'b\\', { chunks: 2 }),
        ]);
        await store.deleteDocuments(
          name,
          [keyOf('a'), keyOf("it's"), keyOf('b\\', 'x'), keyOf('missing')],
          2,
        );
        expect(await store.countPoints(name)).toBe(4);
        expect(
          await store.findDocuments(name, [keyOf('a'), keyOf('a', 'x'), keyOf("it's"), keyOf('b\\')]),
        ).toEqual([absent(2), stored('a', 2), absent(2), stored('b\\', 2)]);
      });
    });

    orderConformance(() => store, create);
    searchConformance(() => store, create);
    tieConformance(() => store, create);
    sparseConformance(() => store, create, { exactFrequencies, largestTerm });
    tokenConformance(() => store, create, { tokenVectors });
    pointConformance(() => store, create);
    migrationConformance(() => store, create);
    aliasConformance(() => store, create);
    filterConformance(() => store, create);
    fieldConformance(() => store, create);
  });
}

export interface ConformanceOptions {
  /** False for a store that temporarily counts removed points. */
  exactFrequencies?: boolean;
  /** The largest term; one less for a store that cannot store the term 2^32 - 1, which none of our schemes produces. */
  largestTerm?: number;
  /** False for a store that refuses collections with token vectors. */
  tokenVectors?: boolean;
}

export interface OpenedStore {
  store: VectorStore;
  release(): Promise<void>;
}
