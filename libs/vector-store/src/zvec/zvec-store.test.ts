import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { profileSchema, type Collection, type CollectionName, type PointId } from '@embedmill/jobs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { absent, documentOf, keyOf, near, stored, unit } from '../conformance-documents.ts';
import type { SearchVector, VectorStore } from '../store.ts';
import { countSegments } from './collection-folder.ts';
import { loadZvec } from './native.ts';
import { inverseFrequency } from '../inverse-frequency.ts';
import { openZvecStore } from './zvec-store.ts';

const NAME = 'docs' as CollectionName;
const COLLECTION: Collection = {
  name: NAME,
  dims: 4,
  vector: 'dense',
  createdAt: '2026-01-01T00:00:00.000Z',
  profile: profileSchema.parse({ filterable: { part: 'integer' } }),
};

let folder: string;
let opened: VectorStore[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'embedmill-zvec-'));
  opened = [];
});
afterEach(async () => {
  for (const store of opened) await store.close();
  await rm(folder, { recursive: true });
});

async function open(): Promise<VectorStore> {
  const store = await openZvecStore(folder);
  opened.push(store);
  return store;
}

describe('a zvec store', () => {
  test('has after closing and opening what it had before', async () => {
    const before = await open();
    await before.createCollection(COLLECTION);
    await before.replaceDocuments(NAME, [documentOf(NAME, 'a', { chunks: 3, metadata: { part: 1 } })]);
    await before.close();
    const after = await open();
    expect(await after.listCollections()).toEqual([COLLECTION]);
    expect(await after.findDocuments(NAME, [keyOf('a')])).toEqual([stored('a', 3)]);
    const filter = { field: 'part', eq: 1 };
    expect((await after.search(NAME, { vector: near(unit(4, 0)), limit: 9, offset: 0, filter })).length).toBe(
      3,
    );
    await after.replaceDocuments(NAME, [documentOf(NAME, 'a')]);
    expect(await after.countPoints(NAME)).toBe(1);
  });

  test('removes what a crash left of a collection half created or half deleted', async () => {
    await mkdir(join(folder, 'half', 'zvec', '0'), { recursive: true });
    await writeFile(join(folder, 'half', 'collection.json.new'), '{');
    const store = await open();
    expect(await store.listCollections()).toEqual([]);
    expect(existsSync(join(folder, 'half'))).toBe(false);
    await store.createCollection({ ...COLLECTION, name: 'half' });
    expect(await store.countPoints('half' as CollectionName)).toBe(0);
  });

  test('has a second vector, and which one is searched, after closing and opening', async () => {
    const before = await open();
    await before.createCollection(COLLECTION);
    const other = { name: 'dense_2', model: 'another', dims: 3 };
    await before.updateCollection({ ...COLLECTION, other, averageLength: 7 });
    await before.replaceDocuments(NAME, [
      documentOf(NAME, 'a', { vectors: [unit(4, 0)], other: [unit(3, 0)] }),
      documentOf(NAME, 'b', { vectors: [unit(4, 1)], other: [unit(3, 1)] }),
    ]);
    const exchanged: Collection = {
      ...COLLECTION,
      vector: 'dense_2',
      dims: 3,
      profile: { ...COLLECTION.profile, model: 'another' },
      other: { name: 'dense', model: COLLECTION.profile.model, dims: 4 },
    };
    await before.updateCollection(exchanged);
    await before.close();

    const after = await open();
    expect(await after.listCollections()).toEqual([exchanged]);
    const best = async (store: VectorStore, vector: SearchVector) =>
      (await store.search(NAME, { vector, limit: 1, offset: 0 }))[0]?.payload.document_id;
    expect(await best(after, near(unit(3, 1)))).toBe('b');
    expect(await best(after, { ...near(unit(4, 0)), name: 'dense' } as SearchVector)).toBe('a');

    // The first vector's files are gone once it is dropped.
    const last = { ...exchanged, other: undefined };
    await after.updateCollection(last);
    expect((await readdir(join(folder, NAME))).toSorted()).toEqual(['collection.json', 'zvec-dense_2']);
    await after.close();
    const again = await open();
    expect(await best(again, near(unit(3, 1)))).toBe('b');
    expect(await again.countPoints(NAME)).toBe(2);
  });

  test('removes what a crash left of a second vector half added or half dropped', async () => {
    const before = await open();
    await before.createCollection(COLLECTION);
    await before.close();
    await mkdir(join(folder, NAME, 'zvec-dense_2', '0'), { recursive: true });
    const after = await open();
    expect((await readdir(join(folder, NAME))).toSorted()).toEqual(['collection.json', 'zvec']);
    expect(await after.countPoints(NAME)).toBe(0);
  });

  test('reads a definition from before several vectors were possible', async () => {
    const before = await open();
    await before.createCollection(COLLECTION);
    await before.close();
    const file = join(folder, NAME, 'collection.json');
    const { name, dims, createdAt } = COLLECTION;
    const { model, chunking, filterable } = COLLECTION.profile;
    const collection = { name, dims, createdAt, profile: { model, chunking, filterable } };
    await writeFile(file, JSON.stringify({ format: 1, collection }));
    expect(await (await open()).listCollections()).toEqual([COLLECTION]);
  });

  test("touches nothing that is not its own, and says when it is in a collection's way", async () => {
    await mkdir(join(folder, 'docs'));
    await writeFile(join(folder, 'docs', 'thesis.txt'), 'precious');
    await writeFile(join(folder, 'notes.txt'), 'precious');
    const store = await open();
    await expect(store.createCollection(COLLECTION)).rejects.toMatchObject({ code: 'store_rejected' });
    expect(await readdir(join(folder, 'docs'))).toEqual(['thesis.txt']);
    expect(await store.getCollection(NAME)).toBeUndefined();
  });

  test.each(['../up', 'a/b', '', '.', 'A'])('takes no collection named %j', async (name) => {
    const store = await open();
    await expect(store.createCollection({ ...COLLECTION, name })).rejects.toMatchObject({
      code: 'store_rejected',
    });
  });

  test('is refused to a second opener while the first one has it', async () => {
    const first = await open();
    await first.createCollection(COLLECTION);
    await expect(openZvecStore(folder)).rejects.toMatchObject({ code: 'store_unavailable' });
    await first.replaceDocuments(NAME, [documentOf(NAME, 'a')]);
    expect(await first.countPoints(NAME)).toBe(1);
  });

  test('says which collection is damaged', async () => {
    const first = await open();
    await first.createCollection(COLLECTION);
    await first.close();
    await writeFile(join(folder, NAME, 'collection.json'), '{"format": 2}');
    await expect(openZvecStore(folder)).rejects.toMatchObject({
      code: 'store_unavailable',
      message: expect.stringContaining(join(folder, NAME)) as string,
    });
  });

  test('deletes a collection while it is searched and written, and answers both', async () => {
    const store = await open();
    await store.createCollection(COLLECTION);
    await store.replaceDocuments(NAME, [documentOf(NAME, 'a', { chunks: 500 })]);
    const search = () => store.search(NAME, { vector: near(unit(4, 0)), limit: 1, offset: 0 });
    const searches = [search(), search()];
    // It first checks the disk space, so the deletion may come before it.
    const write = store.replaceDocuments(NAME, [documentOf(NAME, 'b', { chunks: 500 })]).then(
      () => 'stored',
      (error: { code?: string }) => error.code,
    );
    const deleted = store.deleteCollection(NAME);
    expect((await Promise.allSettled(searches)).map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
    ]);
    expect(['stored', 'collection_not_found']).toContain(await write);
    expect(await deleted).toBe(true);
    expect(existsSync(join(folder, NAME))).toBe(false);
    await expect(search()).rejects.toMatchObject({ code: 'collection_not_found' });
  });

  test('after closing refuses calls with store_unavailable', async () => {
    const store = await open();
    await store.createCollection(COLLECTION);
    await store.close();
    await expect(store.ping()).rejects.toMatchObject({ code: 'store_unavailable' });
    await expect(store.countPoints(NAME)).rejects.toMatchObject({ code: 'store_unavailable' });
    await expect(store.createCollection(COLLECTION)).rejects.toMatchObject({ code: 'store_unavailable' });
  });

  test('seals what was written once nothing is written for a moment', async () => {
    const store = await open();
    await store.createCollection(COLLECTION);
    const table = join(folder, NAME, 'zvec');
    const before = await countSegments(table);
    await store.replaceDocuments(NAME, [documentOf(NAME, 'a', { chunks: 300 })]);
    await expect.poll(() => countSegments(table), { timeout: 30_000 }).toBeGreaterThan(before);
    expect(await store.countPoints(NAME)).toBe(300);
  });

  test('lets other work run between its batches', async () => {
    const store = await open();
    await store.createCollection({ ...COLLECTION, dims: 384 });
    const document = documentOf(NAME, 'a', {
      vectors: Array.from({ length: 3000 }, (_, i) => unit(384, i % 384)),
    });
    let turns = 0;
    let writing = true;
    const count = () => {
      turns++;
      if (writing) setImmediate(count);
    };
    setImmediate(count);
    await store.replaceDocuments(NAME, [document]);
    writing = false;
    expect(turns).toBeGreaterThan(3000 / 64);
  });
});

test('a table of before there were sequences is opened, and what it has is older than all', async () => {
  const before = await open();
  await before.createCollection(COLLECTION);
  await before.replaceDocuments(NAME, [documentOf(NAME, 'a', { chunks: 2, sequence: 5 })]);
  await before.close();
  const zvec = await loadZvec();
  const table = zvec.ZVecOpen(join(folder, NAME, 'zvec'));
  for (const column of ['sequence', 'confirmed']) table.dropColumnSync(column);
  table.closeSync();

  const store = await open();
  expect(await store.findDocuments(NAME, [keyOf('a')])).toEqual([stored('a', 2, 0)]);
  expect(await store.replaceDocuments(NAME, [documentOf(NAME, 'a', { sequence: 1 })])).toEqual([]);
  expect(await store.findDocuments(NAME, [keyOf('a')])).toEqual([stored('a', 1, 1)]);
  expect(await store.deleteDocuments(NAME, [keyOf('a')], 2)).toEqual([]);
  await store.close();
  const again = await open();
  expect(await again.findDocuments(NAME, [keyOf('a')])).toEqual([absent(2)]);
});

describe('a process that is killed while it writes', () => {
  test('has lost nothing that it acknowledged, and shows no document half', async () => {
    const acknowledged = new Map<string, number>();
    // Covers the sealing and merging of segments: the rounds write about 45,000 points.
    for (const [round, kills] of [2, 7, 12].entries()) {
      const child = fork(join(import.meta.dirname, 'writer.fixture.ts'), [folder, String(round)]);
      try {
        await new Promise<void>((resolve, reject) => {
          let calls = 0;
          child.once('exit', () => reject(new Error('the writer ended by itself')));
          child.on('message', (documents: [string, number][]) => {
            for (const [id, chunks] of documents) acknowledged.set(id, chunks);
            if (++calls === kills) resolve();
          });
        });
      } finally {
        const exit = once(child, 'exit');
        child.kill('SIGKILL');
        await exit;
      }

      const store = await open();
      const ids = [...acknowledged.keys()];
      const found = await store.findDocuments(
        NAME,
        ids.map((id) => keyOf(id)),
      );
      expect(found.map((one) => one?.state === 'stored' && one.chunkCount)).toEqual(
        ids.map((id) => acknowledged.get(id)),
      );

      // Writes in progress at the crash: complete or not found, and nothing else is affected.
      const unsure = Array.from({ length: 1000 }, (_, i) => `${round}-${kills}-${i}`);
      const later = await store.findDocuments(
        NAME,
        unsure.map((id) => keyOf(id)),
      );
      for (const [i, one] of later.entries()) {
        if (one?.state !== 'stored' || i % 50 > 0) continue;
        const filter = { field: 'document_id', eq: unsure[i] ?? '' };
        const hits = await store.search(NAME, { vector: near(unit(4, 0)), limit: 10, offset: 0, filter });
        expect(hits.length).toBe(one.chunkCount);
      }
      const known = ids.reduce((sum, id) => sum + (acknowledged.get(id) ?? 0), 0);
      expect(await store.countPoints(NAME)).toBeGreaterThanOrEqual(known);
      await expectExactTerms(store, new Set(ids));
      await store.close();
    }
  });

  /** Scans all points: checks the term counts, and that acknowledged documents are complete. */
  async function expectExactTerms(store: VectorStore, whole: Set<string>): Promise<void> {
    const counts = new Map<number, number>();
    let points = 0;
    for (let after: PointId | undefined; ;) {
      const page = await store.scanPoints(NAME, { limit: 5000, after });
      for (const { sparse, other, payload } of page) {
        points += 1;
        if (whole.has(payload.document_id)) expect(other?.length).toBe(3);
        for (const term of sparse?.bm25?.indices ?? []) counts.set(term, (counts.get(term) ?? 0) + 1);
      }
      if (page.length < 5000) break;
      after = page.at(-1)?.id;
    }
    expect(points).toBe(await store.countPoints(NAME));
    const terms = Uint32Array.from([...counts.keys()]);
    const factors = await store.termFactors(NAME, 'bm25', terms);
    for (const [at, term] of terms.entries()) {
      expect(factors[at]).toBeCloseTo(inverseFrequency(points, counts.get(term) ?? 0), 5);
    }
  }
});
