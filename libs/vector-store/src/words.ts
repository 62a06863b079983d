import type { Scalar } from '@embedmill/jobs';

/**
 * The words of a text for filters: its runs of letters and digits, in lower case. Qdrant's tokenizer `word` splits in
 * the same way, so both stores find the same.
 */
export function wordsIn(text: string): string[] {
  return (
    text
      .toWellFormed()
      .match(/[\p{Alphabetic}\p{N}]+/gu)
      ?.map((word) => word.toLowerCase()) ?? []
  );
}

/** Whether the texts have all of the words, together. */
export function hasWords(texts: readonly Scalar[], words: readonly string[]): boolean {
  const there = new Set(texts.flatMap((text) => (typeof text === 'string' ? wordsIn(text) : [])));
  return words.every((word) => there.has(word));
}
