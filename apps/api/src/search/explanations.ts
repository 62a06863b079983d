import {
  SPARSE_SCHEMES,
  spokenText,
  type Collection,
  type CollectionName,
  type SparseScheme,
  type SparseVector,
  type TermShare,
} from '@embedmill/jobs';
import { explainMatch, type TermMatch } from '@embedmill/retrieval';
import type { VectorStore } from '@embedmill/vector-store';
import { LoopShare } from '../http/loop-share.ts';
import type { QueryLane } from '../queries/query-lane.ts';
import { sizeOf, type AnswerRoom } from './answer-size.ts';
import type { Found } from './found.ts';
import type { QueryVectors } from './query-vectors.ts';
import { sparseTerms } from './terms.ts';

/** A term that a hit and a query share, and its scheme. */
export interface SchemeMatch {
  scheme: SparseScheme;
  match: TermMatch;
}

/** The characters of a term with its weights in an explanation. */
const CHARACTERS_A_MATCH = 128;
/** Hits whose sparse vectors are read in one call. */
const VECTORS_AT_ONCE = 128;

/** What is explained: hits for these queries in this collection. */
export interface Explained {
  questions: readonly QueryVectors[];
  collection: Collection;
  store: VectorStore;
  lane: QueryLane;
}

/** A sparse query, with the store's factors for its terms. */
interface SparseQuery {
  scheme: SparseScheme;
  query: SparseVector;
  factors: Float32Array;
}

/** The terms that each hit shares with the queries, by scheme, for as many hits as a response has room for. */
export async function matchesOf(
  all: readonly Found[],
  explained: Explained,
  room: AnswerRoom,
): Promise<SchemeMatch[][]> {
  const collection = explained.collection.name as CollectionName;
  const asked = await sparseQueries(explained);
  const share = new LoopShare();
  const matched: SchemeMatch[][] = [];
  for (let from = 0; from < all.length; from += VECTORS_AT_ONCE) {
    const some = all.slice(from, from + VECTORS_AT_ONCE);
    const vectors = await explained.store.getVectors(
      collection,
      some.map(({ point: { id } }) => id),
    );
    for (const { point } of some) {
      const sparse = vectors.get(point.id)?.sparse;
      const matches: SchemeMatch[] = [];
      for (const { scheme, query, factors } of asked) {
        const document = sparse?.[scheme];
        if (document === undefined) continue;
        for (const match of explainMatch(query, factors, document)) matches.push({ scheme, match });
        await share.step();
      }
      if (!room.take(sizeOf(point.payload) + matches.length * CHARACTERS_A_MATCH)) return matched;
      matched.push(matches);
    }
  }
  return matched;
}

async function sparseQueries({ questions, collection, store }: Explained): Promise<SparseQuery[]> {
  const asked: SparseQuery[] = [];
  for (const scheme of SPARSE_SCHEMES) {
    for (const vector of questions.flatMap(({ vectors }) => vectors)) {
      if (vector.list !== scheme || vector.kind !== 'sparse') continue;
      const { values } = vector;
      const factors = await store.termFactors(collection.name as CollectionName, scheme, values.indices);
      asked.push({ scheme, query: values, factors });
    }
  }
  return asked;
}

/** The matches with the words of the terms; heaviest first in each scheme. */
export async function explanationsOf(
  found: readonly Found[],
  matched: readonly SchemeMatch[][],
  { questions, collection, lane }: Explained,
): Promise<TermShare[][]> {
  const texts = [
    ...questions.flatMap(({ text }) => text ?? []),
    ...found.map(({ point: { payload } }) => spokenText(payload)),
  ];
  const words = new Map<SparseScheme, Map<number, string>>();
  for (const scheme of SPARSE_SCHEMES) {
    const ofScheme = matched.flat().filter((one) => one.scheme === scheme);
    const terms = new Set(ofScheme.map(({ match }) => match.term));
    if (terms.size > 0) words.set(scheme, await sparseTerms(scheme, terms, texts, collection, lane));
  }
  const share = new LoopShare();
  const shares: TermShare[][] = [];
  for (const matches of matched) {
    await share.step();
    shares.push(
      matches.map(({ scheme, match: { term, ...weights } }) => ({
        scheme,
        term: words.get(scheme)?.get(term) ?? `#${term}`,
        ...weights,
      })),
    );
  }
  return shares;
}
