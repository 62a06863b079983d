import {
  profileSchema,
  type Collection,
  type CollectionName,
  type DenseName,
  type Filter,
  type PointId,
} from '@embedmill/jobs';
import { describe, expect, test } from 'vitest';
import { documentOf, keyOf, sparse, stored, unit } from './conformance-documents.ts';
import type { VectorStore } from './store.ts';

/** Migration to another model: a second vector is added, filled and swapped; a part of `conformance`. */
export function migrationConformance(
  store: () => VectorStore,
  create: (change?: Partial<Collection>) => Promise<CollectionName>,
): void {
  const profile = profileSchema.parse({ sparse: { bm25: {} }, filterable: { part: 'integer' } });
  const OTHER = { name: 'dense_2' as DenseName, model: 'another', dims: 3 };

  async function definition(name: CollectionName): Promise<Collection> {
    const collection = await store().getCollection(name);
    if (collection === undefined) throw new Error(`${name} is gone`);
    return { ...collection };
  }

  const change = async (name: CollectionName, changes: Partial<Collection>): Promise<void> =>
    store().updateCollection({ ...(await definition(name)), ...changes });

  async function exchange(name: CollectionName): Promise<void> {
    const { vector, profile: its, dims, other } = await definition(name);
    if (other === undefined) throw new Error(`${name} has one vector only`);
    await change(name, {
      vector: other.name,
      dims: other.dims,
      profile: { ...its, model: other.model },
      other: { name: vector, model: its.model, dims },
    });
  }

  async function drop(name: CollectionName): Promise<void> {
    const collection = await definition(name);
    delete collection.other;
    await store().updateCollection(collection);
  }

  async function found(
    name: CollectionName,
    values: Float32Array,
    vector?: DenseName,
    filter?: Filter,
  ): Promise<string[]> {
    const hits = await store().search(name, {
      vector: { kind: 'dense', values, name: vector },
      limit: 100,
      offset: 0,
      filter,
    });
    return hits.map((hit) => hit.payload.document_id);
  }

  /** Three documents, of which `a` and `b` have second vectors, orthogonal to each other. */
  async function halfMigrated(): Promise<CollectionName> {
    const name = await create({ profile });
    const documents = ['a', 'b', 'c'].map((id, at) =>
      documentOf(name, id, {
        vectors: [unit(4, at)],
        sparse: [{ bm25: sparse({ 1: 1, [at + 2]: 1 }) }],
        metadata: { part: at },
      }),
    );
    await store().replaceDocuments(name, documents);
    await change(name, { other: OTHER });
    const [a, b] = documents.map((document) => document.points[0]?.id as PointId);
    await store().addVectors(name, [
      { id: a as PointId, values: unit(3, 1) },
      { id: b as PointId, values: unit(3, 0) },
      { id: '00000000-0000-5000-8000-000000000000' as PointId, values: unit(3, 2) },
    ]);
    return name;
  }

  /** The same, with one for `c`, too. */
  async function migrated(): Promise<CollectionName> {
    const name = await halfMigrated();
    const c = documentOf(name, 'c').points[0]?.id as PointId;
    await store().addVectors(name, [{ id: c, values: unit(3, 2) }]);
    return name;
  }

  describe('a second dense vector', () => {
    test('is searched by its name, and finds the points that have got it; those that are not there are left out', async () => {
      const name = await halfMigrated();
      expect((await definition(name)).other).toEqual(OTHER);
      expect(await found(name, unit(3, 1), 'dense_2')).toEqual(['a', 'b']);
      expect(await found(name, unit(3, 0), 'dense_2')).toEqual(['b', 'a']);
      expect(await found(name, unit(3, 0), 'dense_2', { field: 'part', eq: 0 })).toEqual(['a']);
      expect(await found(name, unit(4, 2), 'dense')).toHaveLength(3);
      expect((await found(name, unit(4, 2)))[0]).toBe('c');
      expect(await store().countPoints(name)).toBe(3);
      const points = await store().getPoints(name, [keyOf('a'), keyOf('c')]);
      expect(points.map((point) => point.other)).toEqual([unit(3, 1), undefined]);
      const scanned = await store().scanPoints(name, { limit: 10 });
      expect(scanned.filter((point) => point.other === undefined).length).toBe(1);
    });

    test('comes with documents that are written meanwhile, and goes with those deleted or written without', async () => {
      const name = await halfMigrated();
      await store().replaceDocuments(name, [
        documentOf(name, 'd', { vectors: [unit(4, 3), unit(4, 0)], other: [unit(3, 2), unit(3, 2)] }),
        documentOf(name, 'a'),
      ]);
      await store().deleteDocuments(name, [keyOf('b')], 2);
      expect(await found(name, unit(3, 2), 'dense_2')).toEqual(['d', 'd']);
      await store().replaceDocuments(name, [
        documentOf(name, 'd', { vectors: [unit(4, 3)], other: [unit(3, 2)] }),
      ]);
      expect(await found(name, unit(3, 2), 'dense_2')).toEqual(['d']);
      expect((await found(name, unit(4, 3))).toSorted()).toEqual(['a', 'c', 'd']);
    });

    test('is not added to a point that another submission has replaced since', async () => {
      const name = await halfMigrated();
      const c = documentOf(name, 'c', { vectors: [unit(4, 2)], sequence: 5 });
      const id = c.points[0]?.id as PointId;
      await store().replaceDocuments(name, [c]);
      await store().addVectors(name, [{ id, sequence: 1, values: unit(3, 1) }]);
      expect((await store().getPoints(name, [keyOf('c')]))[0]?.other).toBeUndefined();
      await store().addVectors(name, [{ id, sequence: 5, values: unit(3, 2) }]);
      expect((await store().getPoints(name, [keyOf('c')]))[0]?.other).toEqual(unit(3, 2));
      await store().deleteDocuments(name, [keyOf('c')], 6);
      await store().addVectors(name, [{ id, values: unit(3, 2) }]);
      expect(await found(name, unit(3, 2), 'dense_2')).not.toContain('c');
    });

    test('brings the hash of what it was computed from, to the point that it was made of', async () => {
      const name = await create({ profile });
      await store().replaceDocuments(name, [documentOf(name, 'a'), documentOf(name, 'b')]);
      await change(name, { other: OTHER });
      const [a, b] = await store().getPoints(name, [keyOf('a'), keyOf('b')]);
      if (a === undefined || b === undefined) throw new Error('the documents are not there');
      const { sequence } = a.payload;
      await store().addVectors(name, [
        { id: a.id, sequence, values: unit(3, 0), hash: 'hash-a' },
        { id: b.id, sequence: sequence + 1, values: unit(3, 1), hash: 'hash-b' },
      ]);
      const hashesOf = async () =>
        (await store().getPoints(name, [keyOf('a'), keyOf('b')])).map(
          ({ payload }) => payload.hashes?.dense_2,
        );
      expect(await hashesOf()).toEqual(['hash-a', undefined]);
      await store().addVectors(name, [{ id: b.id, sequence, values: unit(3, 1), hash: 'hash-b' }]);
      expect(await hashesOf()).toEqual(['hash-a', 'hash-b']);
      await exchange(name);
      expect(await hashesOf()).toEqual(['hash-a', 'hash-b']);
      expect(await found(name, unit(3, 1))).toEqual(['b', 'a']);
    });

    test('that came with its point is not replaced by one that is added; adding again changes nothing', async () => {
      const name = await halfMigrated();
      const id = documentOf(name, 'a').points[0]?.id as PointId;
      await store().addVectors(name, [{ id, values: unit(3, 2) }]);
      const [point] = await store().getPoints(name, [keyOf('a')]);
      expect(point?.other).toEqual(unit(3, 1));
      await store().addVectors(name, []);
    });

    test('takes the place of the first one, gives it back, and lets it go', async () => {
      const name = await migrated();
      await exchange(name);
      expect(await definition(name)).toMatchObject({
        vector: 'dense_2',
        dims: 3,
        profile: { model: 'another' },
        other: { name: 'dense', dims: 4 },
      });
      expect((await found(name, unit(3, 0)))[0]).toBe('b');
      expect((await found(name, unit(4, 0), 'dense'))[0]).toBe('a');
      expect(await found(name, unit(3, 0), undefined, { field: 'part', eq: 2 })).toEqual(['c']);
      expect(await store().countPoints(name)).toBe(3);
      expect(await store().findDocuments(name, [keyOf('b')])).toEqual([stored('b', 1)]);
      const factors = await store().termFactors(name, 'bm25', new Uint32Array([1, 2, 9]));
      for (const [at, n] of [3, 1].entries()) {
        expect(factors[at]).toBeCloseTo(Math.log(1 + (3 - n + 0.5) / (n + 0.5)), 5);
      }
      const written = documentOf(name, 'e', { vectors: [unit(3, 0)], other: [unit(4, 1)] });
      await store().replaceDocuments(name, [written], await definition(name));
      const [point] = await store().getPoints(name, [keyOf('e')]);
      expect(point).toMatchObject({ dense: unit(3, 0), other: unit(4, 1) });

      await exchange(name);
      expect((await found(name, unit(4, 0)))[0]).toBe('a');
      expect((await found(name, unit(4, 1))).slice(0, 2).toSorted()).toEqual(['b', 'e']);

      await exchange(name);
      await drop(name);
      const collection = await definition(name);
      expect(collection).toMatchObject({ vector: 'dense_2', dims: 3 });
      expect(collection.other).toBeUndefined();
      expect((await found(name, unit(3, 2)))[0]).toBe('c');
      await expect(found(name, unit(4, 0), 'dense')).rejects.toMatchObject({ code: 'store_rejected' });
      await store().replaceDocuments(name, [documentOf(name, 'f', { vectors: [unit(3, 1)] })]);
      expect(await store().countPoints(name)).toBe(5);
      const sparseHits = await store().search(name, {
        vector: { kind: 'sparse', scheme: 'bm25', values: sparse({ 1: 1 }) },
        limit: 10,
        offset: 0,
      });
      expect(sparseHits.length).toBe(3);
    });

    test('does not take the place of the first one while points lack it, and none of them is lost', async () => {
      const name = await halfMigrated();
      const before = await definition(name);
      expect(await store().countLacking(name, 'dense_2')).toBe(1);
      expect(await store().countLacking(name, 'dense')).toBe(0);
      const refused = { code: 'migration_state', message: expect.stringContaining('1 point of') as string };
      await expect(exchange(name)).rejects.toMatchObject(refused);
      expect(await definition(name)).toEqual(before);
      expect(await store().countPoints(name)).toBe(3);
      expect(await found(name, unit(4, 2))).toHaveLength(3);
      // A cancelled migration removes only the second vector.
      await drop(name);
      expect(await store().countPoints(name)).toBe(3);
      expect((await found(name, unit(4, 2)))[0]).toBe('c');
    });

    test('gives the place back only to a vector that all points have', async () => {
      const name = await migrated();
      await exchange(name);
      await store().replaceDocuments(name, [documentOf(name, 'new', { vectors: [unit(3, 1), unit(3, 2)] })]);
      expect(await store().countLacking(name, 'dense')).toBe(2);
      await expect(exchange(name)).rejects.toMatchObject({
        code: 'migration_state',
        message: expect.stringContaining('2 points of') as string,
      });
      // All other data of the points is kept.
      expect(await store().countPoints(name)).toBe(5);
      expect((await store().scanPoints(name, { limit: 10 })).length).toBe(5);
      const points = await store().getPoints(name, [keyOf('new')]);
      expect(points.map((point) => [point.payload.text, point.other])).toEqual([
        ['text 0 of new', undefined],
        ['text 1 of new', undefined],
      ]);
      await store().addVectors(
        name,
        points.map(({ id }) => ({ id, values: unit(4, 3) })),
      );
      expect(await store().countLacking(name, 'dense')).toBe(0);
      await exchange(name);
      expect((await found(name, unit(4, 3))).slice(0, 2)).toEqual(['new', 'new']);
      await drop(name);
      expect(await store().countPoints(name)).toBe(5);
    });

    test('is refused to a writer who does not know of it, or takes it for another model’s', async () => {
      const name = await halfMigrated();
      const before = { ...(await definition(name)), other: undefined };
      const write = store().replaceDocuments(name, [documentOf(name, 'd')], before);
      await expect(write).rejects.toMatchObject({ code: 'store_unavailable', retryable: true });
      const id = documentOf(name, 'c').points[0]?.id as PointId;
      const addition = store().addVectors(name, [{ id, values: unit(3, 1) }], { ...OTHER, model: 'third' });
      await expect(addition).rejects.toMatchObject({ code: 'migration_state' });
      expect(await store().countLacking(name, 'dense_2')).toBe(1);
    });

    test('that was dropped is gone: one of its name starts empty, of another size if wanted', async () => {
      const name = await halfMigrated();
      await drop(name);
      const addition = { id: documentOf(name, 'a').points[0]?.id as PointId, values: unit(3, 1) };
      await expect(store().addVectors(name, [addition])).rejects.toMatchObject({ code: 'store_rejected' });
      await change(name, { other: { ...OTHER, dims: 5 } });
      expect(await found(name, unit(5, 0), 'dense_2')).toEqual([]);
      await store().addVectors(name, [{ ...addition, values: unit(5, 1) }]);
      expect(await found(name, unit(5, 0), 'dense_2')).toEqual(['a']);
    });

    test('of another size is refused, wherever it comes', async () => {
      const name = await halfMigrated();
      const mismatch = { code: 'dimension_mismatch' };
      const id = documentOf(name, 'c').points[0]?.id as PointId;
      await expect(store().addVectors(name, [{ id, values: unit(4, 0) }])).rejects.toMatchObject(mismatch);
      await expect(found(name, unit(4, 0), 'dense_2')).rejects.toMatchObject(mismatch);
      const write = store().replaceDocuments(name, [documentOf(name, 'd', { other: [unit(4, 0)] })]);
      await expect(write).rejects.toMatchObject(mismatch);
      await expect(found(name, unit(4, 0), 'dense_3')).rejects.toMatchObject({ code: 'store_rejected' });
    });

    test('is not taken for the first one by a writer who does not know that they were exchanged', async () => {
      const name = await migrated();
      const before = await definition(name);
      await exchange(name);
      const document = documentOf(name, 'd', { vectors: [unit(3, 0)], other: [unit(4, 0)] });
      const write = store().replaceDocuments(name, [document], before);
      await expect(write).rejects.toMatchObject({ code: 'store_unavailable', retryable: true });
      expect(await store().findDocuments(name, [keyOf('d')])).toEqual([undefined]);
    });
  });

  describe('a definition', () => {
    test('keeps the average length that was measured', async () => {
      const name = await create({ profile });
      await change(name, { averageLength: 12.5 });
      expect((await definition(name)).averageLength).toBe(12.5);
      expect(await store().listCollections()).toContainEqual(await definition(name));
      // Like a caller that requests the original definition.
      const created = await definition(name);
      delete created.averageLength;
      await store().createCollection(created);
      expect((await definition(name)).averageLength).toBe(12.5);
    });

    test('changes only where it is what it was taken for', async () => {
      const name = await create({ profile });
      const known = await definition(name);
      await change(name, { other: OTHER });
      const update = store().updateCollection({ ...known, averageLength: 3 }, known);
      await expect(update).rejects.toMatchObject({ code: 'store_unavailable', retryable: true });
      expect((await definition(name)).other).toEqual(OTHER);
    });

    test('changes in nothing else', async () => {
      const name = await create({ profile });
      const rejected = { code: 'store_rejected' };
      const fields = profileSchema.parse({ ...profile, filterable: {} });
      await expect(change(name, { profile: fields })).rejects.toMatchObject(rejected);
      await expect(change(name, { dims: 5 })).rejects.toMatchObject(rejected);
      await expect(change(name, { vector: 'dense_2' })).rejects.toMatchObject(rejected);
      await expect(change(name, { other: { ...OTHER, name: 'dense' } })).rejects.toMatchObject(rejected);
      expect(await definition(name)).toMatchObject({ dims: 4, vector: 'dense', profile });
    });

    test('of a collection that is not there cannot be changed', async () => {
      const collection = await definition(await create());
      const update = store().updateCollection({ ...collection, name: 'conf-none' });
      await expect(update).rejects.toMatchObject({ code: 'collection_not_found' });
    });
  });
}
