import type { Language } from '@embedmill/jobs';
import { stopwords as english } from '@orama/stopwords/english';
import { eachStretch } from './words.ts';
import { STOP_WORDS, type LanguageWithStopWords } from './languages.ts';

/** Letters are counted by script. One Han character counts as several letters of an alphabet. */
const SCRIPTS = {
  han: { letters: /\p{Script=Han}/gu, weight: 3 },
  kana: { letters: /[\p{Script=Hiragana}\p{Script=Katakana}]/gu, weight: 2 },
  hangul: { letters: /\p{Script=Hangul}/gu, weight: 2 },
  thai: { letters: /\p{Script=Thai}/gu, weight: 1 },
  cyrillic: { letters: /\p{Script=Cyrillic}/gu, weight: 1 },
  arabic: { letters: /\p{Script=Arabic}/gu, weight: 1 },
  latin: { letters: /\p{Script=Latin}/gu, weight: 1 },
} as const;
type Script = keyof typeof SCRIPTS;

/** A script with a smaller share of the text than this does not indicate the language. */
const LEAST_PART = 0.25;
/** The minimum share of stop words in a text of a language. */
const LEAST_STOP_WORDS = 0.1;
/** The minimum share of Kana in Japanese; Chinese texts have some in names. */
const LEAST_KANA = 0.1;

const LATIN: readonly LanguageWithStopWords[] = [
  'english',
  'danish',
  'dutch',
  'finnish',
  'french',
  'german',
  'hungarian',
  'italian',
  'norwegian',
  'portuguese',
  'romanian',
  'spanish',
  'swedish',
  'turkish',
];

/** The probable language of texts: `auto` if there are several, or no known one. */
export function languageOfTexts(texts: readonly string[]): Language {
  const written = texts.join('\n').normalize('NFKC');
  const amounts = Object.entries(SCRIPTS).map(
    ([script, { letters, weight }]) =>
      [script as Script, weight * (written.match(letters)?.length ?? 0)] as const,
  );
  const all = amounts.reduce((sum, [, amount]) => sum + amount, 0);
  const partOf = (script: Script): number => (amounts.find(([name]) => name === script)?.[1] ?? 0) / all;
  if (all === 0) return 'auto';
  const eastAsian = partOf('han') + partOf('kana');
  const main = (['hangul', 'thai', 'cyrillic', 'arabic', 'latin'] as const).filter(
    (script) => partOf(script) >= LEAST_PART,
  );
  if (eastAsian >= LEAST_PART) {
    // Any Chinese or Japanese text may contain Latin names and terms.
    if (main.some((script) => script !== 'latin') || partOf('latin') > eastAsian) return 'auto';
    return partOf('kana') >= LEAST_KANA * eastAsian ? 'japanese' : 'chinese';
  }
  const [only, ...others] = main;
  if (only === undefined || others.some((script) => script !== 'latin')) return 'auto';
  switch (only) {
    case 'hangul':
      return 'korean';
    case 'thai':
      return 'thai';
    case 'cyrillic':
      return 'russian';
    case 'arabic':
      return 'arabic';
    case 'latin':
      return latinLanguage(written);
  }
}

function latinLanguage(text: string): Language {
  const words: string[] = [];
  eachStretch(text, (start, end) => words.push(text.slice(start, end).toLowerCase()));
  const parts = LATIN.map((language) => {
    // With only its short list, English would look like its neighbours.
    const stopWords = new Set(language === 'english' ? english : STOP_WORDS[language]);
    return { language, part: words.filter((word) => stopWords.has(word)).length / words.length };
  });
  const best = parts.reduce((most, one) => (one.part > most.part ? one : most));
  return best.part < LEAST_STOP_WORDS ? 'auto' : best.language;
}
