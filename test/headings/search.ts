import type { SparseVector } from '@embedmill/jobs';
import { fuseByScore, type ScoredKey } from '@embedmill/retrieval';
import { analyzerOf, averageLengthOf, bm25Document, bm25Query } from '@embedmill/sparse-weighting';

/** Hits of each list that are fused, as in a default search. */
const DEPTH = 100;
const BM25 = { k1: 1.2, b: 0.75 };
const ANALYZER = analyzerOf('english', 2);

/** An inverted index of the chunks' words, as a store keeps it. */
export class WordIndex {
  readonly #postings = new Map<number, { chunk: number; weight: number }[]>();
  readonly #count: number;

  constructor(texts: readonly string[]) {
    this.#count = texts.length;
    const average = averageLengthOf(texts, ANALYZER, undefined) ?? 1;
    for (const [chunk, text] of texts.entries()) {
      const { indices, values } = bm25Document(text, ANALYZER, BM25, average);
      for (const [n, term] of indices.entries()) {
        const list = this.#postings.get(term) ?? [];
        list.push({ chunk, weight: values[n] ?? 0 });
        this.#postings.set(term, list);
      }
    }
  }

  /** The best chunks by the sum of weights and idf. */
  search(question: string): ScoredKey[] {
    const { indices, values }: SparseVector = bm25Query(question, ANALYZER);
    const scores = new Map<number, number>();
    for (const [n, term] of indices.entries()) {
      const list = this.#postings.get(term) ?? [];
      const idf = Math.log(1 + (this.#count - list.length + 0.5) / (list.length + 0.5));
      for (const { chunk, weight } of list)
        scores.set(chunk, (scores.get(chunk) ?? 0) + weight * idf * (values[n] ?? 0));
    }
    return best([...scores]);
  }
}

/** The best chunks by cosine. */
export function nearest(question: Float32Array, chunks: readonly Float32Array[]): ScoredKey[] {
  return best(chunks.map((vector, chunk): [number, number] => [chunk, dot(question, vector)]));
}

/** Fuses lists as hybrid searches do. */
export function fused(...lists: readonly ScoredKey[][]): ScoredKey[] {
  return fuseByScore(lists.map((hits) => ({ weight: 1, hits })));
}

function best(scores: [chunk: number, score: number][]): ScoredKey[] {
  return scores
    .sort((a, b) => b[1] - a[1] || a[0] - b[0])
    .slice(0, DEPTH)
    .map(([chunk, score]) => ({ key: String(chunk), score }));
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let n = 0; n < a.length; n += 1) sum += (a[n] ?? 0) * (b[n] ?? 0);
  return sum;
}
