import type { Block } from '@embedmill/jobs';

/** The number of characters examined. */
const SAMPLE = 4000;
/** Fewer letters may be only a name or two, which can occur in any language. */
const LEAST_LETTERS = 40;
/**
 * With fewer letters, the most likely language must lead by this margin, because related languages look alike in a
 * sentence.
 */
const MANY_LETTERS = 120;
const LEAST_LEAD = 0.02;
/** One such character counts as this many letters of an alphabet. */
const LETTERS_A_SIGN = 4;
const SIGN = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/gu;

/**
 * Detects the language of a text, such as `de`, by its letter n-grams (eld); undefined if uncertain. Code is ignored.
 */
export async function languageOf(text: string, blocks: readonly Block[] = []): Promise<string | undefined> {
  const sample = sampleOf(text, blocks);
  const letters = sample.match(/\p{L}/gu)?.length ?? 0;
  const signs = sample.match(SIGN)?.length ?? 0;
  if (letters + (LETTERS_A_SIGN - 1) * signs < LEAST_LETTERS) return undefined;
  const { eld } = await import('eld/small');
  const found = eld.detect(sample);
  if (!found.isReliable() || found.language === '') return undefined;
  const [first = 0, second = 0] = Object.values(found.getScores()).sort((a, b) => b - a);
  return letters >= MANY_LETTERS || first - second >= LEAST_LEAD ? found.language : undefined;
}

function sampleOf(text: string, blocks: readonly Block[]): string {
  const parts: string[] = [];
  let from = 0;
  let length = 0;
  const take = (to: number): void => {
    const part = text.slice(from, Math.min(to, from + SAMPLE - length));
    parts.push(part);
    length += part.length;
  };
  for (const { start, end, kind } of blocks) {
    if (kind !== 'code' || length >= SAMPLE) continue;
    take(start);
    from = end;
  }
  take(text.length);
  return parts.join(' ');
}
