import type { Language } from '@embedmill/jobs';
import { stopwords as arabic } from '@orama/stopwords/arabic';
import { stopwords as danish } from '@orama/stopwords/danish';
import { stopwords as dutch } from '@orama/stopwords/dutch';
import { stopwords as finnish } from '@orama/stopwords/finnish';
import { stopwords as french } from '@orama/stopwords/french';
import { stopwords as german } from '@orama/stopwords/german';
import { stopwords as hungarian } from '@orama/stopwords/hungarian';
import { stopwords as italian } from '@orama/stopwords/italian';
import { stopwords as norwegian } from '@orama/stopwords/norwegian';
import { stopwords as portuguese } from '@orama/stopwords/portuguese';
import { stopwords as romanian } from '@orama/stopwords/romanian';
import { stopwords as russian } from '@orama/stopwords/russian';
import { stopwords as spanish } from '@orama/stopwords/spanish';
import { stopwords as swedish } from '@orama/stopwords/swedish';
import { stopwords as turkish } from '@orama/stopwords/turkish';
import snowball from 'snowball-stemmers';
import { CHINESE, JAPANESE, KOREAN, THAI } from './stop-words.ts';

/** Lucene's list: short, so that "who" and "what" count, although little is left of "to be or not to be". */
const ENGLISH =
  'a an and are as at be but by for if in into is it no not of on or such that the their then there these they this to was will with';

/** Languages with a Snowball stemmer. */
type StemmedLanguage = Exclude<Language, UnstemmedLanguage>;
type UnstemmedLanguage = 'none' | 'auto' | 'chinese' | 'japanese' | 'korean' | 'thai';

export type LanguageWithStopWords = Exclude<Language, 'none' | 'auto'>;

export const STOP_WORDS: Record<LanguageWithStopWords, readonly string[]> = {
  arabic,
  chinese: CHINESE,
  danish,
  dutch,
  english: ENGLISH.split(' '),
  finnish,
  french,
  german,
  hungarian,
  italian,
  japanese: JAPANESE,
  korean: KOREAN,
  norwegian,
  portuguese,
  romanian,
  russian,
  spanish,
  swedish,
  thai: THAI,
  turkish,
};

/**
 * The language whose rules `auto` applies to a word, by the script of its first letter. For Latin, English is the most
 * likely.
 */
const LATIN = /^\p{Script=Latin}/u;
const BY_SCRIPT: readonly [script: RegExp, language: LanguageWithStopWords][] = [
  [LATIN, 'english'],
  [/^\p{Script=Han}/u, 'chinese'],
  [/^[\p{Script=Hiragana}\p{Script=Katakana}]/u, 'japanese'],
  [/^\p{Script=Hangul}/u, 'korean'],
  [/^\p{Script=Cyrillic}/u, 'russian'],
  [/^\p{Script=Arabic}/u, 'arabic'],
  [/^\p{Script=Thai}/u, 'thai'],
];

/** The number of cached words with their stems, so that a corpus' vocabulary is stemmed once. */
const MOST_REMEMBERED = 200_000;
/** Longer ones are not words of a language, and would fill the memory. */
const LONGEST_REMEMBERED = 40;

/** Longer ones are not stemmed, because the algorithms take quadratic time: a minute for 160,000 letters "y". */
const LONGEST_STEMMED = 255;

/** An analysed word → its term; undefined for a stop word. */
export type Stemmer = (word: string) => string | undefined;

/**
 * Creates a function from a language's words to terms, which caches its results. `fold` processes stop words as the
 * analysis processes words.
 */
export function stemmerOf(language: Language, fold = (word: string): string => word): Stemmer {
  switch (language) {
    case 'none':
      return (word) => word;
    case 'auto':
      return stemmerByScript(fold);
    case 'chinese':
    case 'japanese':
    case 'korean':
    case 'thai': {
      const stopWords = new Set(STOP_WORDS[language].map(fold));
      const english = snowballStemmer('english', fold);
      return (word) => (LATIN.test(word) ? english(word) : stopWords.has(word) ? undefined : word);
    }
    default:
      return snowballStemmer(language, fold);
  }
}

function stemmerByScript(fold: (word: string) => string): Stemmer {
  const stemmers = BY_SCRIPT.map(([script, language]) => ({ script, stem: stemmerOf(language, fold) }));
  return (word) => {
    const own = stemmers.find(({ script }) => script.test(word));
    return own === undefined ? word : own.stem(word);
  };
}

/** Stems by Snowball (Porter, 2001). */
function snowballStemmer(language: StemmedLanguage, fold: (word: string) => string): Stemmer {
  const algorithm = snowball.newStemmer(language);
  const stopWords = new Set(STOP_WORDS[language].map(fold));
  const terms = new Map<string, string>();
  return (word) => {
    const term = terms.get(word);
    if (term !== undefined) return term;
    if (stopWords.has(word)) return undefined;
    if (word.length > LONGEST_STEMMED) return word;
    const stem = algorithm.stem(word);
    if (word.length > LONGEST_REMEMBERED) return stem;
    // There are rarely more than a language's words; if so, clearing costs less than tracking recent use.
    if (terms.size >= MOST_REMEMBERED) terms.clear();
    terms.set(word, stem);
    return stem;
  };
}
