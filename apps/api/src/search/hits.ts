import {
  SPARSE_SCHEMES,
  spokenText,
  type Collection,
  type CollectionName,
  type Hit,
  type SearchRequest,
  type TermShare,
} from '@embedmill/jobs';
import { explainMatch, highlighter, type TermMatch } from '@embedmill/retrieval';
import { analyzerOf } from '@embedmill/sparse-weighting';
import type { SparseVectors, VectorStore } from '@embedmill/vector-store';
import { namedTenant } from '../access/principal.ts';
import { AnswerRoom, sizeOf } from '../answer-size.ts';
import { LoopShare } from '../loop-share.ts';
import type { QueryLane } from '../query-lane.ts';
import type { QueryVectors } from './query-vectors.ts';
import type { Found } from './search.ts';
import { documentPoints } from './stored.ts';
import { sparseTerms } from './terms.ts';

interface HitParts {
  store: VectorStore;
  lane: QueryLane;
}

/** What was found as the API gives it, as far as an answer has room, with highlights and explanations where they are asked for. */
export async function hitsOf(
  all: readonly Found[],
  { highlight, explain }: Pick<SearchRequest, 'highlight' | 'explain'>,
  questions: readonly QueryVectors[],
  collection: Collection,
  parts: HitParts,
): Promise<Hit[]> {
  const room = new AnswerRoom();
  const end = all.findIndex(({ point: { payload } }) => !room.take(sizeOf(payload)));
  const found = end === -1 ? all : all.slice(0, end);
  const explanations = explain ? await explanationsOf(found, questions, collection, parts) : undefined;
  const texts = questions.flatMap(({ text }) => text ?? []);
  const { bm25, bm42 } = collection.profile.sparse;
  const analyzer = analyzerOf(bm25?.language ?? bm42?.language ?? 'english', collection.analysis);
  const stretchesOf = highlight ? highlighter(texts, analyzer) : undefined;
  const share = new LoopShare();
  const hits: Hit[] = [];
  for (const [n, { point, score, scores }] of found.entries()) {
    await share.step();
    const {
      document_id: id,
      tenant,
      text,
      title,
      metadata,
      chunk_index,
      chunk_count,
      start,
      end,
    } = point.payload;
    const { image, timestamp } = point.payload;
    const highlights = stretchesOf?.(text).map((stretch) => ({
      start: start + stretch.start,
      end: start + stretch.end,
    }));
    hits.push({
      id,
      ...namedTenant(tenant),
      score,
      text,
      title,
      metadata,
      ...(image !== null && { image }),
      chunk: {
        index: chunk_index,
        count: chunk_count,
        start,
        end,
        ...(timestamp !== null && { timestamp }),
      },
      scores,
      ...(highlights !== undefined && { highlights }),
      ...(explanations !== undefined && { explanation: explanations[n] ?? [] }),
    });
  }
  return hits;
}

/** Which terms of each hit the questions' terms met, scheme after scheme, the weightiest first. */
async function explanationsOf(
  found: readonly Found[],
  questions: readonly QueryVectors[],
  definition: Collection,
  { store, lane }: HitParts,
): Promise<TermShare[][]> {
  const collection = definition.name as CollectionName;
  const payloads = found.map(({ point: { payload } }) => payload);
  const wanted = new Set<string>(found.map(({ point: { id } }) => id));
  const sparse = new Map<string, SparseVectors>();
  for await (const point of documentPoints(store, collection, payloads))
    if (wanted.has(point.id) && point.sparse !== undefined) sparse.set(point.id, point.sparse);

  const texts = [
    ...questions.flatMap(({ text }) => text ?? []),
    ...found.map(({ point: { payload } }) => spokenText(payload)),
  ];
  const shares: TermShare[][] = found.map(() => []);
  const share = new LoopShare();
  for (const scheme of SPARSE_SCHEMES) {
    const asked = questions.flatMap(({ vectors }) =>
      vectors.flatMap((vector) => (vector.list === scheme && vector.kind === 'sparse' ? vector.values : [])),
    );
    const matches: { hit: number; match: TermMatch }[] = [];
    for (const query of asked) {
      const factors = await store.termFactors(collection, scheme, query.indices);
      for (const [hit, { point }] of found.entries()) {
        const document = sparse.get(point.id)?.[scheme];
        if (document === undefined) continue;
        for (const match of explainMatch(query, factors, document)) matches.push({ hit, match });
        await share.step();
      }
    }
    const names = await sparseTerms(
      scheme,
      new Set(matches.map(({ match }) => match.term)),
      texts,
      definition,
      lane,
    );
    for (const { hit, match } of matches) {
      const { term, ...weights } = match;
      shares[hit]?.push({ scheme, term: names.get(term) ?? `#${term}`, ...weights });
    }
  }
  return shares;
}
