import type { Collection, CollectionName, PointId, QueryResult, QuestionTokens } from '@embedmill/jobs';
import { lateInteractionOf, tokenWeights, type Emphasis } from '@embedmill/retrieval';
import type { VectorStore } from '@embedmill/vector-store';
import type { QueryLane } from '../queries/query-lane.ts';

/** A question as text, with its emphasized ranges. */
export interface WeighedQuestion {
  text: string;
  /** The model's prefix, if it is not the usual one for queries. */
  prefix: string | undefined;
  emphasis: Emphasis[];
  /** Its tokens, if already known. */
  tokens?: QuestionTokens | undefined;
}

/**
 * How well points answer each question, by late interaction with their stored token vectors, from 0 to 1: one number
 * per point; 0 for a point without any, such as a picture.
 */
export async function storedInteraction(
  points: PointId[],
  questions: readonly WeighedQuestion[],
  { name, dims, profile: { model } }: Collection,
  { store, lane }: { store: VectorStore; lane: QueryLane },
): Promise<Float32Array[]> {
  return Promise.all(
    questions.map(async ({ text, prefix, emphasis, tokens }) => {
      const { vectors, places } =
        tokens ?? firstOf(await lane.ask({ task: 'tokens', model, prefix, dims, inputs: [text] }));
      const weights = tokenWeights(places, emphasis);
      // Tokens without weight are not compared.
      const weighing = [...weights.keys()].filter((token) => weights[token] !== 0);
      const asked = new Int8Array(weighing.length * dims);
      for (const [row, token] of weighing.entries())
        asked.set(vectors.subarray(token * dims, (token + 1) * dims), row * dims);
      const own = weighing.map((token) => weights[token] ?? 0);
      const found = await store.maxSimilarities(name as CollectionName, points, asked);
      return Float32Array.from(points, (id) => {
        const similarities = found.get(id);
        return similarities === undefined ? 0 : lateInteractionOf(similarities, own);
      });
    }),
  );
}

function firstOf({ questions: [first] }: QueryResult<'tokens'>): QuestionTokens {
  if (first === undefined) throw new RangeError('there is no answer to the question');
  return first;
}
