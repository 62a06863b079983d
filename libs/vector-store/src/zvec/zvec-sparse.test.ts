import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { profileSchema, WITH_IDF, type CollectionName, type SparseScheme } from '@embedmill/jobs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { documentOf, keyOf, sparse } from '../conformance-documents.ts';
import type { SparseVectors, VectorStore } from '../store.ts';
import { openZvecStore } from './zvec-store.ts';

/** zvec's sparse searches, compared with a linear scan of the points. */
const NAME = 'docs' as CollectionName;
const SCHEMES = ['bm25', 'splade'] as const;

type Weights = Record<number, number>;
type Chunk = Partial<Record<(typeof SCHEMES)[number], Weights>>;
type Step =
  | { do: 'replace'; documents: { id: string; chunks: Chunk[] }[] }
  | { do: 'delete'; ids: string[] }
  | { do: 'reopen' }
  | { do: 'search'; scheme: (typeof SCHEMES)[number]; query: Weights };

// Exact float32 numbers.
const weights = fc.dictionary(
  fc.nat({ max: 12 }).map(String),
  fc.integer({ min: 1, max: 64 }).map((n) => n / 16),
  { maxKeys: 6 },
);
const id = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f');
const chunk: fc.Arbitrary<Chunk> = fc.record({ bm25: weights, splade: weights }, { requiredKeys: [] });
const search = fc.record({
  do: fc.constant('search' as const),
  scheme: fc.constantFrom(...SCHEMES),
  query: weights,
});
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('replace' as const),
      documents: fc.array(fc.record({ id, chunks: fc.array(chunk, { maxLength: 4 }) }), { maxLength: 4 }),
    }),
  },
  { weight: 4, arbitrary: search },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('delete' as const), ids: fc.array(id, { maxLength: 3 }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('reopen' as const) }) },
);

test('sparse searches score as the points say, through whatever is replaced, deleted and opened again', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 12 }), search, async (steps, last) => {
      const folder = await mkdtemp(join(tmpdir(), 'embedmill-zvec-'));
      let store = await openZvecStore(folder);
      try {
        await store.createCollection({
          name: NAME,
          dims: 4,
          vector: 'dense',
          createdAt: '2026-01-01T00:00:00.000Z',
          profile: profileSchema.parse({ sparse: { bm25: {}, splade: {} } }),
        });
        const model = new Map<string, Chunk[]>();
        for (const one of [...steps, last]) {
          switch (one.do) {
            case 'replace':
              await store.replaceDocuments(
                NAME,
                one.documents.map(({ id: document, chunks }) =>
                  documentOf(NAME, document, { chunks: chunks.length, sparse: chunks.map(vectorsOf) }),
                ),
              );
              for (const { id: document, chunks } of one.documents) model.set(document, chunks);
              break;
            case 'delete':
              await store.deleteDocuments(
                NAME,
                one.ids.map((document) => keyOf(document)),
                1,
              );
              for (const document of one.ids) model.delete(document);
              break;
            case 'reopen':
              await store.close();
              store = await openZvecStore(folder);
              break;
            case 'search':
              await expectSearch(store, model, one.scheme, one.query);
          }
        }
      } finally {
        await store.close();
        await rm(folder, { recursive: true });
      }
    }),
    { numRuns: 40 },
  );
});

async function expectSearch(
  store: VectorStore,
  model: Map<string, Chunk[]>,
  scheme: SparseScheme & keyof Chunk,
  query: Weights,
): Promise<void> {
  const vectors = [...model].flatMap(([document, chunks]) =>
    chunks.flatMap((one, at) => {
      const its = one[scheme] ?? {};
      return Object.keys(its).length === 0 ? [] : [{ point: `${document} ${at}`, weights: its }];
    }),
  );
  const factorOf = (term: string): number => {
    const n = vectors.filter((one) => term in one.weights).length;
    return WITH_IDF.has(scheme) ? Math.log(1 + (vectors.length - n + 0.5) / (n + 0.5)) : 1;
  };
  const expected = vectors.flatMap(({ point, weights: its }) => {
    const shared = Object.entries(query).filter(([term]) => term in its);
    const score = shared.reduce(
      (sum, [term, weight]) => sum + weight * (its[Number(term)] ?? 0) * factorOf(term),
      0,
    );
    return shared.length === 0 ? [] : [[point, score] as const];
  });

  const vector = { kind: 'sparse', scheme, values: sparse(query) } as const;
  const hits = await store.search(NAME, { vector, limit: 100, offset: 0 });
  const found = hits.map(
    ({ payload, score }) => [`${payload.document_id} ${payload.chunk_index}`, score] as const,
  );
  expect(found.map(([point]) => point).toSorted()).toEqual(expected.map(([point]) => point).toSorted());
  const scores = new Map(expected);
  for (const [point, score] of found) expect(score).toBeCloseTo(scores.get(point) ?? NaN, 4);
  expect(hits.map((hit) => hit.score)).toEqual(hits.map((hit) => hit.score).toSorted((a, b) => b - a));
}

function vectorsOf(chunk: Chunk): SparseVectors {
  return Object.fromEntries(
    SCHEMES.flatMap((scheme) => {
      const its = chunk[scheme];
      return its === undefined ? [] : [[scheme, sparse(its)]];
    }),
  );
}
