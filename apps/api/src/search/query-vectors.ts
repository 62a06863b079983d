import {
  denseVectors,
  parseImageReference,
  SPARSE_SCHEMES,
  type Collection,
  type DenseVector,
  type DenseVectors,
  type Profile,
  type QuestionTokens,
  type SearchRequest,
  type SparseScheme,
  type SparseVector,
} from '@embedmill/jobs';
import { analyzerOf, bm25Query, bm42Query, isForeign } from '@embedmill/sparse-weighting';
import type { SearchVector } from '@embedmill/vector-store';
import { refusedField } from '../http/problem.ts';
import { checkText, refuseUnknown, vectorAt, type QueryLane } from '../queries/query-lane.ts';

/** One query as vectors of the collection: each gives a list of hits from the store. */
export interface QueryVectors {
  /** The query in words; undefined for an image. */
  text: string | undefined;
  /** The dense model's prefix, if it is not the usual one for queries. */
  prefix: string | undefined;
  weight: number;
  vectors: QueryVector[];
  /** Its tokens, if reranking will compare them with stored ones. */
  tokens?: QuestionTokens | undefined;
}

/** The vector by which a list of hits was found. */
export type ListName = 'dense' | SparseScheme;

export type QueryVector = SearchVector & {
  list: ListName;
  /** The weight of its list, unless the request states one; 1 by default. */
  voice?: number | undefined;
};

/**
 * The weight of the words of a question in another script. For 351 English questions on Chinese texts (docs/search.md),
 * nDCG@10 is 0.609 with dense vectors alone, and 0.583, 0.609, 0.615, 0.616 and 0.615 with words at weights of 1, 0.5,
 * 0.3, 0.2 and 0.1 in addition.
 */
const FOREIGN_VOICE = 0.3;

/**
 * The request's questions as the vectors that its mode needs. A question without any token known to a model has no
 * vector of that model, because it would equal that of every other such text. `prefix` is the dense model's prefix, if
 * it is not the usual one for queries. Errors: `invalid_request` with the path, for a mode without vectors in the
 * collection, and for a question without any vectors; those of the interactive lane.
 */
export async function queryVectorsOf(
  request: Pick<SearchRequest, 'query' | 'queries' | 'image' | 'mode' | 'sparse' | 'vector'> &
    Partial<Pick<SearchRequest, 'rerank'>>,
  collection: Collection,
  lane: QueryLane,
  prefix?: string,
): Promise<QueryVectors[]> {
  const { profile, analysis } = collection;
  const { name, model, dims } = denseVectorOf(request, collection);
  const questions = questionsOf(request);
  const { dense, schemes } = listsOf(request, profile);
  const texts = questions.map(({ text }) => text ?? '');
  const { splade, bm25, bm42 } = profile.sparse;
  const weighing = schemes.includes('splade') ? splade?.model : undefined;
  // Then the model itself weighs the tokens, in the run for its dense vectors.
  const lexical = dense && weighing === model;
  const withTokens = !lexical && readsStoredTokens(request.rerank, profile);
  const embedded = dense
    ? await denseOf(request, texts, { model, dims }, lane, { prefix, lexical, withTokens })
    : undefined;
  const terms =
    weighing === undefined
      ? undefined
      : lexical && embedded !== undefined
        ? { vectors: embedded.terms ?? [], unknown: embedded.unknown }
        : await lane.ask({ task: 'sparse', model: weighing, inputs: texts, role: 'query' });
  const asked = questions.map(({ text, weight }, n): QueryVectors => {
    const vectors: QueryVectors['vectors'] = [];
    if (embedded !== undefined && embedded.unknown[n] !== true) {
      // By name, so that a swap of vectors meanwhile does not search among another model's.
      vectors.push({ list: 'dense', kind: 'dense', name, values: vectorAt(embedded, n, dims) });
    }
    for (const scheme of schemes) {
      const values = sparseOf(scheme, text ?? '');
      const voice = voiceOf(scheme, text ?? '', collection);
      if (values !== undefined) vectors.push({ list: scheme, kind: 'sparse', scheme, values, voice });
    }
    return { text, prefix, weight, vectors, tokens: embedded?.questions?.[n] };

    function sparseOf(scheme: SparseScheme, query: string) {
      switch (scheme) {
        case 'bm25':
          return bm25 && bm25Query(query, analyzerOf(bm25.language, analysis));
        case 'bm42':
          return bm42 && bm42Query(query, analyzerOf(bm42.language, analysis));
        case 'splade':
          return terms?.unknown[n] === true ? undefined : terms?.vectors[n];
      }
    }
  });
  const models = [dense ? model : undefined, terms && splade?.model].filter((one) => one !== undefined);
  // In a search only by words, a question without words is valid, but has no hits.
  const nothing = asked.map(({ vectors }) => models.length > 0 && vectors.every(saysNothing));
  refuseUnknown(nothing, models.join(', '), (n) => pathOfQuestion(request, n));
  return asked;
}

/** The weight of a scheme's list relative to the dense vector's. */
function voiceOf(
  scheme: SparseScheme,
  text: string,
  { profile: { sparse }, analysis }: Collection,
): number | undefined {
  const language = scheme === 'splade' ? undefined : sparse[scheme]?.language;
  if (language === undefined) return undefined;
  return isForeign(analyzerOf(language, analysis).terms(text), language) ? FOREIGN_VOICE : undefined;
}

function saysNothing(vector: SearchVector): boolean {
  return vector.kind === 'sparse' && vector.values.indices.length === 0;
}

function pathOfQuestion({ queries }: Pick<SearchRequest, 'queries'>, n: number): string {
  return queries === undefined ? 'query' : `queries/${n}/query`;
}

/** The requested dense vector. Errors: `invalid_request` with the path. */
export function denseVectorOf(
  {
    vector,
    mode,
    rerank = false,
  }: Pick<SearchRequest, 'vector' | 'mode'> & Partial<Pick<SearchRequest, 'rerank'>>,
  collection: Collection,
): DenseVector {
  const there = denseVectors(collection);
  const [used] = there;
  if (vector === undefined || vector === used.name) return used;
  const found = there.find(({ name }) => name === vector);
  if (found === undefined) {
    const names = there.map(({ name, model }) => `${name} (${model})`).join(', ');
    throw refusedField('vector', `the collection has no vector ${vector}, only ${names}`);
  }
  if (mode === 'sparse')
    throw refusedField('vector', 'a sparse search looks at no dense vector; leave it out');
  // It is compared with the stored vectors that searches use.
  if (rerank !== false)
    throw refusedField('rerank', `what ${vector} finds is not reranked; leave one of the two out`);
  return found;
}

/** The vectors that a mode uses. */
function listsOf(
  { mode, sparse, image }: Pick<SearchRequest, 'mode' | 'sparse' | 'image'>,
  profile: Profile,
): { dense: boolean; schemes: SparseScheme[] } {
  const there = SPARSE_SCHEMES.filter((scheme) => profile.sparse[scheme] !== undefined);
  const missing = sparse?.find((scheme) => !there.includes(scheme));
  if (missing !== undefined) {
    throw refusedField(
      'sparse',
      `the collection has no ${missing} vectors, only ${there.join(', ') || 'dense ones'}`,
    );
  }
  const schemes = sparse ?? there;
  switch (
    mode ??
    (sparse === undefined && (there.length === 0 || image !== undefined) ? 'dense' : 'hybrid')
  ) {
    case 'dense':
      if (sparse !== undefined)
        throw refusedField('sparse', 'a dense search does not use sparse vectors; leave it out');
      return { dense: true, schemes: [] };
    case 'sparse':
    case 'hybrid':
      if (image !== undefined)
        throw refusedField('mode', 'an image has only a dense vector; use a dense search');
      if (schemes.length === 0) {
        const advice = 'create it with "sparse" in its profile, or use a dense search';
        throw refusedField('mode', `the collection has no sparse vectors; ${advice}`);
      }
      return { dense: mode !== 'sparse', schemes };
  }
}

function questionsOf({
  query,
  queries,
  image,
}: Pick<SearchRequest, 'query' | 'queries' | 'image'>): { text: string | undefined; weight: number }[] {
  const given = [query, queries, image].filter((one) => one !== undefined).length;
  if (given !== 1) {
    throw refusedField(
      'query',
      `give exactly one of query, queries and image; the request has ${given === 0 ? 'none' : 'several'}`,
    );
  }
  if (query !== undefined) {
    checkText(query, 'query');
    return [{ text: query, weight: 1 }];
  }
  for (const [n, one] of (queries ?? []).entries()) checkText(one.query, pathOfQuestion({ queries }, n));
  return queries?.map(({ query: text, weight }) => ({ text, weight })) ?? [{ text: undefined, weight: 1 }];
}

/** Whether reranking reads stored token vectors, which come from the collection's own model. */
export function readsStoredTokens(
  rerank: SearchRequest['rerank'] | undefined,
  { model, lateInteraction }: Profile,
): boolean {
  if (lateInteraction === undefined || rerank === undefined || rerank === false) return false;
  return rerank === true || rerank.model === undefined || rerank.model === model;
}

/** A request's questions, or its picture, embedded by the dense model. */
interface DenseQuestions extends DenseVectors {
  terms?: SparseVector[] | undefined;
  unknown: boolean[];
  questions?: QuestionTokens[] | undefined;
}

async function denseOf(
  { image }: Pick<SearchRequest, 'image'>,
  texts: string[],
  { model, dims }: Pick<DenseVector, 'model' | 'dims'>,
  lane: QueryLane,
  { prefix, lexical, withTokens }: { prefix: string | undefined; lexical: boolean; withTokens: boolean },
): Promise<DenseQuestions> {
  if (image === undefined) {
    const query = { model, inputs: texts, prefix };
    // One run returns both; workers of an earlier version return only the tokens.
    const read = withTokens ? await lane.ask({ ...query, task: 'tokens', dims }) : undefined;
    if (read?.dense !== undefined) return { ...read.dense, unknown: read.unknown, questions: read.questions };
    const weigh = lexical ? { lexical } : {};
    const dense = await lane.ask({ ...query, task: 'embed', role: 'query', ...weigh });
    return { ...dense, questions: read?.questions };
  }
  const parsed = parseImageReference(image);
  if (!parsed.ok || parsed.reference.kind !== 'data')
    throw refusedField('image', 'must be a data URI, such as data:image/png;base64,…');
  return lane.ask({ task: 'images', model, inputs: [image] });
}
