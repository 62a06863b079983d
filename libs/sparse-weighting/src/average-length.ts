import type { Language } from '@embedmill/jobs';
import { stemmerOf } from './languages.ts';
import { wordsOf } from './words.ts';

/** Tokens that a word takes in a usual tokenizer, punctuation counted in. */
const TOKENS_A_WORD = 1.3;

export interface LengthOptions {
  language: Language;
  /** Tokens a chunk at most; undefined where a document is one chunk. */
  chunkTokens: number | undefined;
}

/**
 * About how many terms a chunk has on average, from a sample of texts: what BM25 calls avgdl. Texts that are longer than
 * a chunk count as the chunks that they would make, by the words that fit into one. Undefined where no text has a term.
 */
export function averageLengthOf(
  texts: Iterable<string>,
  { language, chunkTokens }: LengthOptions,
): number | undefined {
  const stem = stemmerOf(language);
  const mostWords = chunkTokens === undefined ? Infinity : chunkTokens / TOKENS_A_WORD;
  let terms = 0;
  let chunks = 0;
  for (const text of texts) {
    let words = 0;
    for (const { word } of wordsOf(text)) {
      words += 1;
      if (stem(word) !== undefined) terms += 1;
    }
    chunks += Math.max(1, Math.ceil(words / mostWords));
  }
  return terms === 0 ? undefined : terms / chunks;
}
