import type { Analyzer } from './analysis.ts';

/** The average tokens per word of a usual tokenizer, including punctuation. */
const TOKENS_A_WORD = 1.3;

/**
 * Estimates the average number of terms per chunk from a sample of texts: BM25's avgdl. A text longer than a chunk of
 * `chunkTokens` counts as the chunks that it would make, by the words that fit into one; if `chunkTokens` is undefined,
 * a document is one chunk. Undefined if no text has a term.
 */
export function averageLengthOf(
  texts: Iterable<string>,
  analyzer: Analyzer,
  chunkTokens: number | undefined,
): number | undefined {
  const mostWords = chunkTokens === undefined ? Infinity : chunkTokens / TOKENS_A_WORD;
  let terms = 0;
  let chunks = 0;
  for (const text of texts) {
    let words = 0;
    for (const { term } of analyzer.terms(text)) {
      words += 1;
      if (term !== undefined) terms += 1;
    }
    chunks += Math.max(1, Math.ceil(words / mostWords));
  }
  return terms === 0 ? undefined : terms / chunks;
}
