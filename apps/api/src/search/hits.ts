import {
  SPARSE_SCHEMES,
  spokenText,
  type Collection,
  type CollectionName,
  type Hit,
  type SearchRequest,
  type TermShare,
} from '@embedmill/jobs';
import { explainMatch, highlightsOf } from '@embedmill/retrieval';
import { analyzerOf } from '@embedmill/sparse-weighting';
import type { StoredPoint, VectorStore } from '@embedmill/vector-store';
import type { QueryLane } from '../query-lane.ts';
import type { QueryVectors } from './query-vectors.ts';
import type { Found } from './search.ts';
import { documentsOf } from './stored.ts';
import { sparseTerms } from './terms.ts';

interface HitParts {
  store: VectorStore;
  lane: QueryLane;
}

/** What was found as the API gives it, with highlights and explanations where they are asked for. */
export async function hitsOf(
  found: readonly Found[],
  { highlight, explain }: Pick<SearchRequest, 'highlight' | 'explain'>,
  questions: readonly QueryVectors[],
  collection: Collection,
  parts: HitParts,
): Promise<Hit[]> {
  const explanations = explain ? await explanationsOf(found, questions, collection, parts) : undefined;
  const texts = questions.flatMap(({ text }) => text ?? []);
  const { bm25, bm42 } = collection.profile.sparse;
  const analyzer = analyzerOf(bm25?.language ?? bm42?.language ?? 'english', collection.analysis);
  return found.map(({ point: { payload }, score, scores }, n) => {
    const { document_id: id, text, title, metadata, chunk_index, chunk_count, start, end } = payload;
    return {
      ...{ id, score, text, title, metadata },
      ...(payload.image !== null && { image: payload.image }),
      chunk: {
        ...{ index: chunk_index, count: chunk_count, start, end },
        ...(payload.timestamp !== null && { timestamp: payload.timestamp }),
      },
      scores,
      ...(highlight && {
        highlights: highlightsOf(texts, text, analyzer).map((range) => ({
          start: start + range.start,
          end: start + range.end,
        })),
      }),
      ...(explanations !== undefined && { explanation: explanations[n] ?? [] }),
    };
  });
}

/** Which terms of each hit the questions' terms met, scheme after scheme, the weightiest first. */
async function explanationsOf(
  found: readonly Found[],
  questions: readonly QueryVectors[],
  definition: Collection,
  { store, lane }: HitParts,
): Promise<TermShare[][]> {
  const collection = definition.name as CollectionName;
  const documents = documentsOf(found.map(({ point: { payload } }) => payload));
  const points = new Map<string, StoredPoint>();
  for (const point of await store.getPoints(collection, documents)) points.set(point.id, point);

  const texts = [
    ...questions.flatMap(({ text }) => text ?? []),
    ...found.map(({ point: { payload } }) => spokenText(payload)),
  ];
  const shares: TermShare[][] = found.map(() => []);
  for (const scheme of SPARSE_SCHEMES) {
    const asked = questions.flatMap(({ vectors }) =>
      vectors.flatMap((vector) => (vector.list === scheme && vector.kind === 'sparse' ? vector.values : [])),
    );
    for (const query of asked) {
      const factors = await store.termFactors(collection, scheme, query.indices);
      const matches = found.map(({ point }) => {
        const document = points.get(point.id)?.sparse?.[scheme];
        return document === undefined ? [] : explainMatch(query, factors, document);
      });
      const ids = new Set(matches.flatMap((terms) => terms.map(({ term }) => term)));
      const names = await sparseTerms(scheme, ids, texts, definition, lane);
      for (const [n, terms] of matches.entries()) {
        for (const { term, ...weights } of terms) {
          shares[n]?.push({ scheme, term: names.get(term) ?? `#${term}`, ...weights });
        }
      }
    }
  }
  return shares;
}
