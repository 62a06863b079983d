import {
  ANALYSIS_VERSION,
  spokenText,
  type Collection,
  type CollectionName,
  type Rerank,
} from '@embedmill/jobs';
import { cosine, standardScores, withFeedback } from '@embedmill/retrieval';
import { analyzerOf } from '@embedmill/sparse-weighting';
import type { VectorStore } from '@embedmill/vector-store';
import { LoopShare } from '../http/loop-share.ts';
import type { QueryLane } from '../queries/query-lane.ts';
import { readsStoredTokens, type ListName, type QueryVectors } from './query-vectors.ts';
import type { HitPayloads } from './payloads.ts';
import type { Ranking } from './found.ts';
import { storedInteraction, type WeighedQuestion } from './stored-tokens.ts';

/** Words without stemming, for any language. */
const ANALYZER = analyzerOf('none', ANALYSIS_VERSION);
const wordOf = ({ word }: { word: string }): string => word;
/** The number of hits towards which the question's vector is moved. */
const FEEDBACK = 3;

interface Parts {
  store: VectorStore;
  lane: QueryLane;
  payloads: HitPayloads;
}

/** A hit to rerank, with its stored dense vector. */
interface Candidate extends Ranking {
  dense: Float32Array | undefined;
}

/** The number of points whose vectors are read at once. */
const VECTORS_AT_ONCE = 256;

/**
 * Reranks the first hits; the others stay after them. Late interaction by the collection's own model reads stored token
 * vectors, if there are any.
 *
 * A cross-encoder alone decides the order. Late interaction sees which words match, but not the text as a whole, so it
 * is one of three scores that are standardised and added: the others are the dense list's and the mean of the sparse
 * ones. Then the question's vector is moved towards the first hits, and the dense score is computed again.
 */
export async function rerank(
  found: readonly Ranking[],
  { model, depth }: Rerank,
  questions: readonly QueryVectors[],
  collection: Collection,
  { store, lane, payloads }: Parts,
): Promise<Ranking[]> {
  const asked = questions.filter(({ text }) => text !== undefined);
  if (asked.length === 0) return [...found];
  const first: Ranking[] = [];
  const inputs: string[] = [];
  for await (const [hit, payload] of payloads.of(found.slice(0, depth))) {
    first.push(hit);
    inputs.push(spokenText(payload));
  }
  if (first.length === 0) return [...found];
  const name = model ?? collection.profile.model;
  const words = new Set(asked.flatMap(({ text = '' }) => Array.from(ANALYZER.terms(text), wordOf)));
  const having = await textsHaving(inputs, words);
  const isOwn = name === collection.profile.model;
  const weighed = asked.map(({ text = '', prefix, tokens }): WeighedQuestion => ({
    text,
    prefix: isOwn ? prefix : undefined,
    emphasis: emphasisOf(text, having, inputs.length),
    tokens,
  }));
  const isStored = readsStoredTokens({ model, depth }, collection.profile);
  const ids = first.map(({ point: { id } }) => id);
  const { scores, isFinal } = isStored
    ? { scores: await storedInteraction(ids, weighed, collection, { store, lane }), isFinal: false }
    : await judged(name, weighed, inputs, lane);
  const total = asked.reduce((sum, { weight }) => sum + weight, 0) || 1;
  const closer = first.map((one, n): Ranking => {
    const score = asked.reduce((sum, { weight }, q) => sum + weight * (scores[q]?.[n] ?? 0), 0) / total;
    return { ...one, score, scores: { ...one.scores, rerank: score } };
  });
  const ranked = isFinal ? closer : combined(await withVectors(closer, collection, store), questions);
  return [...ranked.toSorted((a, b) => b.score - a.score), ...found.slice(depth)];
}

/** A model's scores of each text, question by question; a cross-encoder alone decides the order. */
async function judged(
  model: string,
  questions: readonly WeighedQuestion[],
  inputs: string[],
  lane: QueryLane,
): Promise<{ scores: Float32Array[]; isFinal: boolean }> {
  const answers = await Promise.all(
    questions.map(({ text: query, prefix, emphasis }) =>
      lane.ask({ task: 'rerank', model, query, prefix, inputs, emphasis }),
    ),
  );
  return {
    scores: answers.map(({ scores }) => scores),
    isFinal: answers.every(({ kind }) => kind === 'logit'),
  };
}

/**
 * Late interaction combined with the lists, scored twice: the second time with the question moved towards the best hits
 * of the first.
 */
function combined(candidates: readonly Candidate[], questions: readonly QueryVectors[]): Ranking[] {
  const late = standardScores(candidates.map(({ scores }) => scores.rerank ?? 0));
  const sparse = sparseVoices(candidates);
  const scored = (dense: number[]): number[] =>
    candidates.map((_, n) => (late[n] ?? 0) + (sparse[n] ?? 0) + (dense[n] ?? 0));
  const vectors = questions.flatMap(({ vectors: own }) =>
    own.flatMap((vector) => (vector.kind === 'dense' ? [vector.values] : [])),
  );
  const once = scored(denseVoices(candidates, vectors));
  const best = candidates
    .map(({ dense }, n) => ({ dense, score: once[n] ?? 0 }))
    .toSorted((a, b) => b.score - a.score)
    .slice(0, FEEDBACK)
    .flatMap(({ dense }) => dense ?? []);
  const drawn = denseVoices(
    candidates,
    vectors.map((vector) => withFeedback(vector, best)),
  );
  const twice = scored(drawn);
  return candidates.map(({ point, scores }, n) => ({ point, scores, score: twice[n] ?? 0 }));
}

/** The nearest of the questions' vectors counts; all 0 if there are no dense ones. */
function denseVoices(candidates: readonly Candidate[], questions: readonly Float32Array[]): number[] {
  if (questions.length === 0) return candidates.map(() => 0);
  return standardScores(
    candidates.map(({ dense }) =>
      dense === undefined
        ? -1
        : questions.reduce((most, vector) => Math.max(most, cosine(vector, dense)), -1),
    ),
  );
}

/** The mean of the sparse lists' standardised scores; a hit missing from a list counts there as its last one. */
function sparseVoices(candidates: readonly Candidate[]): number[] {
  const names = new Set(candidates.flatMap(({ scores }) => Object.keys(scores) as (ListName | 'rerank')[]));
  const lists = [...names].filter((name) => name !== 'dense' && name !== 'rerank');
  const voices = lists.map((name) => {
    const known = candidates.flatMap(({ scores }) => scores[name] ?? []);
    const least = known.reduce((some, score) => Math.min(some, score), Infinity);
    return standardScores(candidates.map(({ scores }) => scores[name] ?? least));
  });
  return candidates.map((_, n) => {
    const sum = voices.reduce((total, voice) => total + (voice[n] ?? 0), 0);
    return voices.length === 0 ? 0 : sum / voices.length;
  });
}

/** The number of texts that contain each word. */
async function textsHaving(
  texts: readonly string[],
  words: ReadonlySet<string>,
): Promise<Map<string, number>> {
  const having = new Map<string, number>();
  const share = new LoopShare();
  for (const text of texts) {
    for (const word of ANALYZER.wordsAmong(text, words)) having.set(word, (having.get(word) ?? 0) + 1);
    await share.step();
  }
  return having;
}

/** Rarer words weigh more: by BM25's idf among the candidates. */
function emphasisOf(query: string, having: ReadonlyMap<string, number>, texts: number) {
  return Array.from(ANALYZER.terms(query), ({ word, start, end }) => {
    const count = having.get(word) ?? 0;
    return { start, end, weight: Math.log(1 + (texts - count + 0.5) / (count + 0.5)) };
  });
}

async function withVectors(
  found: readonly Ranking[],
  { name }: Collection,
  store: VectorStore,
): Promise<Candidate[]> {
  const candidates: Candidate[] = [];
  for (let from = 0; from < found.length; from += VECTORS_AT_ONCE) {
    const some = found.slice(from, from + VECTORS_AT_ONCE);
    const ids = some.map(({ point: { id } }) => id);
    const vectors = await store.getDense(name as CollectionName, ids);
    for (const one of some) candidates.push({ ...one, dense: vectors.get(one.point.id) });
  }
  return candidates;
}
