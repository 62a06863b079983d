import type { AnalysisVersion, Language } from '@embedmill/jobs';
import { charactersInPairs, withPairs } from './character-pairs.ts';
import { firstWordsOf } from './first-words.ts';
import { folded } from './folding.ts';
import { stemmerOf, type Stemmer } from './languages.ts';
import { STRETCH, stretchKinds } from './stretches.ts';
import { eachStretch, wordsOfStretch, type Term } from './words.ts';

/** How a collection's documents and queries are analysed for BM25, BM42, highlights and explanations. */
export interface Analyzer {
  /** The words of a text in order, with the position of each in the original text. */
  terms: (text: string) => Iterable<Term>;
  /** Which of these words (`Term.word`) the text contains. */
  wordsAmong: (text: string, words: ReadonlySet<string>) => Set<string>;
}

const ASCII = /^\p{ASCII}*$/u;

const analyzers = new Map<string, Analyzer>();

/** Languages in which traditional and simplified characters are equivalent; in Japanese, many are different words. */
const SIMPLIFYING: readonly Language[] = ['auto', 'chinese'];

/**
 * The analyzer of a language and version. A process has one of each, which remembers what it has seen. Version 2 folds
 * words (`wordsOfStretch`); version 1 belongs to earlier collections, which state no version.
 */
export function analyzerOf(language: Language, version: AnalysisVersion = 1): Analyzer {
  const key = `${version} ${language}`;
  const known = analyzers.get(key);
  if (known !== undefined) return known;
  const analyzer = version === 1 ? new FirstAnalyzer(language) : new FoldingAnalyzer(language);
  analyzers.set(key, analyzer);
  return analyzer;
}

class FirstAnalyzer implements Analyzer {
  readonly #stem: Stemmer;

  constructor(language: Language) {
    this.#stem = stemmerOf(language);
  }

  *terms(text: string): Generator<Term, undefined> {
    for (const { word, start, end } of firstWordsOf(text)) yield { word, term: this.#stem(word), start, end };
  }

  wordsAmong(text: string, words: ReadonlySet<string>): Set<string> {
    return new Set(Array.from(firstWordsOf(text), ({ word }) => word).filter((word) => words.has(word)));
  }
}

/** The number of cached stretches with their terms, so that a corpus' vocabulary is folded and stemmed once. */
const MOST_REMEMBERED = 200_000;
/** Longer ones rarely recur, and would fill the memory. */
const LONGEST_REMEMBERED = 40;

class FoldingAnalyzer implements Analyzer {
  readonly #stem: Stemmer;
  readonly #turkish: boolean;
  readonly #simplifies: boolean;
  /** Characters for which each pair of neighbours is an additional term. */
  readonly #inPairs: RegExp | undefined;
  readonly #known = new Map<string, readonly Term[]>();

  constructor(language: Language) {
    this.#turkish = language === 'turkish';
    this.#simplifies = SIMPLIFYING.includes(language);
    this.#inPairs = charactersInPairs(language);
    this.#stem = stemmerOf(language, (word) => folded(word, this.#turkish));
  }

  terms(text: string): Term[] {
    const terms: Term[] = [];
    eachStretch(text, (from, to, isAscii) => {
      const stretch = text.slice(from, to);
      for (const { word, term, start, end } of this.#termsOf(stretch, isAscii)) {
        terms.push({ word, term, start: from + start, end: from + end });
      }
    });
    return terms;
  }

  wordsAmong(text: string, words: ReadonlySet<string>): Set<string> {
    if (this.#turkish || !ASCII.test(text))
      return new Set(this.terms(text).flatMap(({ word }) => (words.has(word) ? word : [])));
    // Looking for a few words takes a tenth of the time of reading all.
    const lower = text.toLowerCase();
    return new Set([...words].filter((word) => hasAsciiWord(lower, word)));
  }

  /** The terms of a stretch, with positions in it. */
  #termsOf(stretch: string, isAscii: boolean): readonly Term[] {
    const known = this.#known.get(stretch);
    if (known !== undefined) return known;
    const words =
      isAscii && !this.#turkish
        ? [{ word: stretch.toLowerCase(), start: 0, end: stretch.length }]
        : wordsOfStretch(stretch, { turkish: this.#turkish, simplifies: this.#simplifies });
    const single = words.map(({ word, start, end }) => ({ word, term: this.#stem(word), start, end }));
    const terms = this.#inPairs === undefined || isAscii ? single : withPairs(single, this.#inPairs);
    if (stretch.length > LONGEST_REMEMBERED) return terms;
    // There are rarely more than a language's words; if so, clearing costs less than tracking recent use.
    if (this.#known.size >= MOST_REMEMBERED) this.#known.clear();
    this.#known.set(ownString(stretch), terms);
    return terms;
  }
}

/** Whether the text contains the word, without a letter or digit on either side. Both are lower-case ASCII. */
function hasAsciiWord(text: string, word: string): boolean {
  for (let at = text.indexOf(word); at !== -1; at = text.indexOf(word, at + 1))
    if (!isOfWord(text, at - 1) && !isOfWord(text, at + word.length)) return true;
  return false;
}

const isOfWord = (text: string, at: number): boolean =>
  at >= 0 && at < text.length && stretchKinds.of(text.charCodeAt(at)) === STRETCH.ascii;

/** Copies the string, because a slice would keep the whole text in memory. */
const ownString = (cut: string): string => Buffer.from(cut, 'utf16le').toString('utf16le');
