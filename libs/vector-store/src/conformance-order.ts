import type { Collection, CollectionName, DenseName } from '@embedmill/jobs';
import { describe, expect, test } from 'vitest';
import { absent, DEFAULT, documentOf, keyOf, near, stored, unit } from './conformance-documents.ts';
import type { DocumentKey, VectorStore } from './store.ts';

/** The greatest sequence of a document wins, whatever the order of writes; a part of `conformance`. */
export function orderConformance(
  store: () => VectorStore,
  create: (change?: Partial<Collection>) => Promise<CollectionName>,
): void {
  const idsOf = (keys: DocumentKey[]): string[] => keys.map(({ id }) => id);

  /** A document of a sequence, which its chunks' fingerprint identifies. */
  const version = (name: CollectionName, id: string, sequence: number, chunks = 1) =>
    documentOf(name, id, { sequence, chunks, fingerprint: `version ${sequence}` });

  const found = async (name: CollectionName, id = 'a') => (await store().findDocuments(name, [keyOf(id)]))[0];
  const versionOf = (id: string, chunkCount: number, sequence: number, decided = sequence) => ({
    ...stored(id, chunkCount, sequence, decided),
    fingerprint: `version ${sequence}`,
  });

  /** The sequences of a document's chunks, as found by searches. */
  async function chunksOf(name: CollectionName, id = 'a'): Promise<number[]> {
    const hits = await store().search(name, {
      vector: near(unit(4, 0)),
      limit: 100,
      offset: 0,
      filter: { field: 'document_id', eq: id },
      tenant: DEFAULT,
    });
    return hits
      .map((hit) => hit.payload)
      .toSorted((a, b) => a.chunk_index - b.chunk_index)
      .map(({ sequence }) => sequence);
  }

  describe('the order of sequences', () => {
    test.each([
      [1, 1],
      [1, 4],
      [4, 1],
      [4, 2],
      [2, 4],
    ])('an older version of %i chunks changes nothing of a newer one of %i', async (older, newer) => {
      const name = await create();
      expect(await store().replaceDocuments(name, [version(name, 'a', 7, newer)])).toEqual([]);
      const overtaken = await store().replaceDocuments(name, [
        version(name, 'a', 5, older),
        version(name, 'b', 5, older),
      ]);
      expect(idsOf(overtaken)).toEqual(['a']);
      expect(await found(name)).toEqual(versionOf('a', newer, 7));
      expect(await chunksOf(name)).toEqual(Array.from({ length: newer }, () => 7));
      expect(await found(name, 'b')).toEqual(versionOf('b', older, 5));
      expect(await store().countPoints(name)).toBe(newer + older);
    });

    test('writing under a sequence again has the effect of writing once', async () => {
      const name = await create();
      for (let times = 0; times < 3; times += 1) {
        const documents = [version(name, 'a', 5, 3), version(name, 'b', 5)];
        expect(await store().replaceDocuments(name, documents)).toEqual([]);
      }
      expect(await found(name)).toEqual(versionOf('a', 3, 5));
      expect(await store().countPoints(name)).toBe(4);
    });

    test('another document of the same sequence takes its place, as where a retry is embedded by another model', async () => {
      const name = await create();
      await store().replaceDocuments(name, [version(name, 'a', 5, 3)]);
      const again = documentOf(name, 'a', { sequence: 5, chunks: 2, fingerprint: 'again' });
      expect(await store().replaceDocuments(name, [again])).toEqual([]);
      expect(await found(name)).toEqual({ ...versionOf('a', 2, 5), fingerprint: 'again' });
      expect(await store().countPoints(name)).toBe(2);
    });

    test('documents stored before sequences existed are older than all others', async () => {
      const name = await create();
      await store().replaceDocuments(name, [version(name, 'a', 0, 3), version(name, 'b', 0)]);
      const documents = [version(name, 'a', 1, 2), version(name, 'b', 1, 2)];
      expect(await store().replaceDocuments(name, documents)).toEqual([]);
      expect(await chunksOf(name)).toEqual([1, 1]);
      expect(await store().countPoints(name)).toBe(4);
    });

    test('a deletion keeps older writes away, and gives way to newer ones', async () => {
      const name = await create();
      await store().replaceDocuments(name, [version(name, 'a', 1, 3), version(name, 'b', 9, 2)]);
      const keys = ['a', 'b', 'never'].map((id) => keyOf(id));
      expect(idsOf(await store().deleteDocuments(name, keys, 5))).toEqual(['b']);
      expect(await store().findDocuments(name, keys)).toEqual([absent(5), versionOf('b', 2, 9), absent(5)]);
      const older = ['a', 'never'].flatMap((id) => [version(name, id, 3, 1)]);
      expect(idsOf(await store().replaceDocuments(name, older))).toEqual(['a', 'never']);
      expect(idsOf(await store().replaceDocuments(name, [version(name, 'a', 4, 3)]))).toEqual(['a']);
      expect(await store().countPoints(name)).toBe(2);
      expect(await store().replaceDocuments(name, [version(name, 'a', 6, 3)])).toEqual([]);
      expect(await found(name)).toEqual(versionOf('a', 3, 6));
      expect(await store().countPoints(name)).toBe(5);
    });

    test('tombstones are in no count, scan, search or read', async () => {
      const name = await create({ other: { name: 'dense_2' as DenseName, model: 'another', dims: 3 } });
      await store().replaceDocuments(name, [version(name, 'a', 1, 3)]);
      await store().deleteDocuments(name, [keyOf('a'), keyOf('never')], 5);
      expect(await store().countPoints(name)).toBe(0);
      expect(await store().countPoints(name, DEFAULT)).toBe(0);
      expect(await store().countLacking(name, 'dense_2')).toBe(0);
      expect(await store().scanPoints(name, { limit: 10 })).toEqual([]);
      expect(await store().getPoints(name, [keyOf('a')])).toEqual([]);
      expect(await store().search(name, { vector: near(unit(4, 0)), limit: 10, offset: 0 })).toEqual([]);
    });

    test('tombstones are forgotten up to a sequence', async () => {
      const name = await create();
      await store().replaceDocuments(name, [version(name, 'kept', 1)]);
      expect(await store().purgeTombstones(name, 9)).toBe(0);
      await store().deleteDocuments(name, [keyOf('a')], 5);
      await store().deleteDocuments(name, [keyOf('b')], 6);
      expect(await store().purgeTombstones(name, 6)).toBe(1);
      const keys = ['a', 'b', 'kept'].map((id) => keyOf(id));
      expect(await store().findDocuments(name, keys)).toEqual([
        undefined,
        absent(6),
        versionOf('kept', 1, 1),
      ]);
    });

    test('a document that is confirmed keeps older writes and deletions away, and stays what it is', async () => {
      const name = await create();
      await store().replaceDocuments(name, [version(name, 'a', 1, 3), version(name, 'b', 1)]);
      const versions = ['a', 'b'].map((id) => ({ ...keyOf(id), sequence: 1 }));
      expect(await store().confirmDocuments(name, versions, 5)).toEqual([]);
      expect(await found(name)).toEqual(versionOf('a', 3, 1, 5));
      const older = [version(name, 'a', 3, 4), version(name, 'b', 3)];
      expect(idsOf(await store().replaceDocuments(name, older))).toEqual(['a', 'b']);
      expect(idsOf(await store().deleteDocuments(name, [keyOf('a')], 4))).toEqual(['a']);
      expect(await found(name)).toEqual(versionOf('a', 3, 1, 5));
      expect(await chunksOf(name)).toEqual([1, 1, 1]);
      // A submission that finds the document unchanged does not overtake its writer.
      expect(await store().replaceDocuments(name, [version(name, 'b', 1)])).toEqual([]);
      // A confirmation never restores an older version.
      expect(await store().confirmDocuments(name, versions, 2)).toEqual([]);
      expect(await found(name)).toEqual(versionOf('a', 3, 1, 5));
      expect(await store().replaceDocuments(name, [version(name, 'a', 6)])).toEqual([]);
      expect(await found(name)).toEqual(versionOf('a', 1, 6));
    });

    test('a document that has changed since it was read is not confirmed', async () => {
      const name = await create();
      await store().replaceDocuments(name, [version(name, 'a', 2), version(name, 'b', 1)]);
      await store().deleteDocuments(name, [keyOf('c')], 2);
      const versions = ['a', 'b', 'c', 'gone'].map((id) => ({ ...keyOf(id), sequence: 1 }));
      expect(idsOf(await store().confirmDocuments(name, versions, 5))).toEqual(['a', 'c', 'gone']);
      expect(await found(name)).toEqual(versionOf('a', 1, 2));
      expect(await found(name, 'c')).toEqual(absent(2));
    });

    test('the sequence of a document and those of its points are one', async () => {
      const name = await create();
      const write = store().replaceDocuments(name, [{ ...version(name, 'a', 5), sequence: 6 }]);
      await expect(write).rejects.toMatchObject({ code: 'store_rejected' });
    });

    test('a writer does not write into a collection that was made anew under its name', async () => {
      const name = await create();
      const known = await store().getCollection(name);
      if (known === undefined) throw new Error(`${name} is gone`);
      await store().deleteCollection(name);
      await store().createCollection({ ...known, createdAt: '2026-02-02T00:00:00.000Z' });
      const gone = { code: 'collection_not_found' };
      const write = store().replaceDocuments(name, [version(name, 'a', 5, 3)], known);
      await expect(write).rejects.toMatchObject(gone);
      await expect(store().deleteDocuments(name, [keyOf('a')], 5, known)).rejects.toMatchObject(gone);
      expect(await store().countPoints(name)).toBe(0);
      expect(await found(name)).toBeUndefined();
      await store().takeBack(name, 5, known);
      expect(await store().replaceDocuments(name, [version(name, 'a', 6)])).toEqual([]);
      expect(await store().countPoints(name)).toBe(1);
    });

    test('a writer that knows of another twin, or of none, is refused', async () => {
      const name = await create();
      const known = await store().getCollection(name);
      if (known === undefined) throw new Error(`${name} is gone`);
      const twinned = { ...known, twin: { name: 'twin', filled: true } };
      await store().updateCollection(twinned, known);
      const changed = { code: 'store_unavailable' };
      const write = (as: typeof known, sequence: number) =>
        store().replaceDocuments(name, [version(name, 'a', sequence, 2)], as);
      await expect(write(known, 5)).rejects.toMatchObject(changed);
      await expect(store().deleteDocuments(name, [keyOf('a')], 5, known)).rejects.toMatchObject(changed);
      expect(await write(twinned, 6)).toEqual([]);
      expect(await store().deleteDocuments(name, [keyOf('a')], 7, twinned)).toEqual([]);
      await store().updateCollection({ ...twinned, twin: undefined }, twinned);
      await expect(write(twinned, 8)).rejects.toMatchObject(changed);
      expect(await write(known, 9)).toEqual([]);
      expect(await found(name)).toEqual(versionOf('a', 2, 9));
    });

    test('many writers of the same documents leave the newest version of each, and nothing else', async () => {
      const name = await create();
      const writes = Array.from({ length: 12 }, (_, sequence) =>
        store().replaceDocuments(
          name,
          ['a', 'b', 'c'].map((id) => version(name, id, sequence + 1, 1 + ((sequence * 7) % 5))),
        ),
      );
      const deletions = [3, 8].map((sequence) => store().deleteDocuments(name, [keyOf('b')], sequence));
      await Promise.all([...writes, ...deletions]);
      const chunks = 1 + ((11 * 7) % 5);
      for (const id of ['a', 'b', 'c']) {
        expect(await found(name, id)).toEqual(versionOf(id, chunks, 12));
        expect(await chunksOf(name, id)).toEqual(Array.from({ length: chunks }, () => 12));
      }
      expect(await store().countPoints(name)).toBe(3 * chunks);
    });
  });
}
