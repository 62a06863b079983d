import {
  profileSchema,
  type Collection,
  type CollectionName,
  type PointId,
  type TenantId,
  type TokenVectors,
} from '@embedmill/jobs';
import { expect, test } from 'vitest';
import { documentOf, keyOf } from './conformance-documents.ts';
import type { DocumentPoints, VectorStore } from './store.ts';

/** Token vectors for late interaction; a part of `conformance`. */
export function tokenConformance(
  store: () => VectorStore,
  create: (change?: Partial<Collection>) => Promise<CollectionName>,
  { tokenVectors }: { tokenVectors: boolean },
): void {
  const profile = profileSchema.parse({ lateInteraction: {}, sparse: { bm25: {} }, storage: 'int8' });

  if (!tokenVectors) {
    test('a collection with token vectors is refused', async () => {
      await expect(create({ profile })).rejects.toMatchObject({ code: 'invalid_profile' });
      const name = await create();
      await expect(store().maxSimilarities(name, [], new Int8Array(4))).rejects.toMatchObject({
        code: 'store_rejected',
      });
    });
    return;
  }

  /** Rows of four numbers, each with a maximum of 127. */
  const rows = (...given: number[][]): TokenVectors => Int8Array.from(given.flat());
  const A = rows([127, 0, 0, 0], [0, 127, 0, 0]);
  const B = rows([127, -63, 5, 1]);
  const C = rows([1, 2, -127, 4], [60, 127, 3, -90], [127, 127, 127, 127]);

  const cosine = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
    const dot = (x: ArrayLike<number>, y: ArrayLike<number>) =>
      Array.from(x).reduce((sum, value, n) => sum + value * (y[n] ?? 0), 0);
    return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
  };
  const rowsOf = (tokens: TokenVectors) =>
    Array.from({ length: tokens.length / 4 }, (_, row) => tokens.subarray(4 * row, 4 * row + 4));
  const expected = (query: TokenVectors, tokens: TokenVectors) =>
    rowsOf(query).map((one): unknown =>
      expect.closeTo(Math.max(...rowsOf(tokens).map((other) => cosine(one, other))), 3),
    );

  /** A document with the hash of its chunks' token vectors, as written by a worker. */
  const withHash = (document: DocumentPoints): DocumentPoints => {
    for (const { payload, tokens } of document.points)
      if (tokens !== undefined) payload.hashes = { dense: 'd', tokens: `of ${tokens.join()}` };
    return document;
  };
  const write = async (name: CollectionName, ...documents: DocumentPoints[]): Promise<PointId[]> => {
    await store().replaceDocuments(name, documents.map(withHash));
    return documents.flatMap(({ points }) => points.map(({ id }) => id));
  };
  const tokensIn = async (name: CollectionName, id: string) =>
    (await store().getPoints(name, [keyOf(id)])).map(({ tokens }) => tokens && [...tokens]);

  test('come back as they were written, however few', async () => {
    const name = await create({ profile });
    await write(name, documentOf(name, 'a', { chunks: 4, tokens: [A, B, C, undefined] }));
    expect(await tokensIn(name, 'a')).toEqual([[...A], [...B], [...C], undefined]);
    const points = await store().getPoints(name, [keyOf('a')]);
    const dense = await store().getDense(
      name,
      points.map(({ id }) => id),
    );
    expect(dense).toEqual(new Map(points.map((point) => [point.id, point.dense])));
    // Pages of points do not include them.
    const scanned = await store().scanPoints(name, { limit: 10 });
    expect(scanned.map(({ tokens }) => tokens)).toEqual([undefined, undefined, undefined, undefined]);
  });

  test('are compared one by one: of each point the greatest cosine with each of the query’s', async () => {
    const name = await create({ profile });
    const ids = await write(
      name,
      documentOf(name, 'a', { chunks: 4, tokens: [A, B, C, undefined] }),
      documentOf(name, 'b', { tenant: 'other', tokens: [B] }),
    );
    const query = rows([127, 0, 0, 0], [0, 0, 127, 0], [-127, 64, 1, 2], [1, 127, 2, 3]);
    const [a, b, c, none, others] = ids as [PointId, PointId, PointId, PointId, PointId];
    const found = await store().maxSimilarities(name, ids, query);
    expect(new Map([...found].map(([id, own]) => [id, [...own]]))).toEqual(
      new Map([
        [a, expected(query, A)],
        [b, expected(query, B)],
        [c, expected(query, C)],
        [others, expected(query, B)],
      ]),
    );
    const own = await store().maxSimilarities(name, [none, others, c], query, 'default' as TenantId);
    expect([...own.keys()]).toEqual([c]);
    expect(await store().maxSimilarities(name, [], query)).toEqual(new Map());
  });

  test('go with what replaces their document, and with the document', async () => {
    const name = await create({ profile });
    const [first, second] = await write(name, documentOf(name, 'a', { chunks: 2, tokens: [A, B] }));
    await write(name, documentOf(name, 'a', { tokens: [C], sequence: 2 }));
    expect(await tokensIn(name, 'a')).toEqual([[...C]]);
    const query = rows([0, 0, 127, 0]);
    const both = [first, second] as PointId[];
    expect([...(await store().maxSimilarities(name, both, query)).keys()]).toEqual([first]);
    // An overtaken write changes nothing.
    await write(name, documentOf(name, 'a', { chunks: 2, tokens: [A, A], sequence: 1 }));
    expect(await tokensIn(name, 'a')).toEqual([[...C]]);
    await store().deleteDocuments(name, [keyOf('a')], 3);
    expect(await store().maxSimilarities(name, both, query)).toEqual(new Map());
    await write(name, documentOf(name, 'a', { tokens: [undefined], sequence: 4 }));
    expect(await tokensIn(name, 'a')).toEqual([undefined]);
  });

  test('are refused in another size, and where the collection keeps none', async () => {
    const name = await create({ profile });
    const odd = documentOf(name, 'a', { tokens: [rows([127, 0, 0])] });
    await expect(store().replaceDocuments(name, [odd])).rejects.toMatchObject({ code: 'dimension_mismatch' });
    await expect(store().maxSimilarities(name, [], rows([1, 2]))).rejects.toMatchObject({
      code: 'dimension_mismatch',
    });
    const plain = await create();
    const some = documentOf(plain, 'a', { tokens: [A] });
    await expect(store().replaceDocuments(plain, [some])).rejects.toMatchObject({ code: 'store_rejected' });
    await expect(store().maxSimilarities(plain, [], A)).rejects.toMatchObject({ code: 'store_rejected' });
  });
}
