import type { Analyzer } from './analysis.ts';

/** Tokens that a word takes in a usual tokenizer, punctuation counted in. */
const TOKENS_A_WORD = 1.3;

/**
 * About how many terms a chunk has on average, from a sample of texts: what BM25 calls avgdl. Texts that are longer than
 * a chunk of `chunkTokens` count as the chunks that they would make, by the words that fit into one; where that is
 * undefined, a document is one chunk. Undefined where no text has a term.
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
