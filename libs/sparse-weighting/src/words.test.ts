import { describe, expect, test } from 'vitest';
import { languageSchema } from '@embedmill/jobs';
import { analyzerOf } from './analysis.ts';
import { stemmerOf } from './languages.ts';
import { termId } from './term-id.ts';
import { termNames } from './term-names.ts';
import { topTerms } from './vector.ts';

const words = (text: string) => [...analyzerOf('none', 1).terms(text)].map(({ word }) => word);
const english = analyzerOf('english', 2);

describe('words of the first version, as collections have stored them', () => {
  test.each([
    ['Don’t stop, 3.5 times!', ['don', 't', 'stop', '3', '5', 'times']],
    ['snake_case and kebab-case', ['snake', 'case', 'and', 'kebab', 'case']],
    ['Größe ΑΣ İstanbul café', ['größe', 'ας', 'i̇stanbul', 'café']],
    ['हिन्दी में', ['हिन्दी', 'में']],
    ['今天天气很好', ['今天', '天气', '很好']],
    ['iPhone15を買う', ['iphone15', 'を', '買う']],
    ['ﬁnance cafe\u0301', ['ﬁnance', 'cafe\u0301']],
    ['😀 — …', []],
  ])('%s', (text, expected) => {
    expect(words(text)).toEqual(expected);
  });
});

describe('stems', () => {
  test('are of the language', () => {
    expect(['running', 'generously', 'ponies'].map(stemmerOf('english'))).toEqual([
      'run',
      'generous',
      'poni',
    ]);
    expect(['Häuser', 'häusern'].map((word) => stemmerOf('german')(word.toLowerCase()))).toEqual([
      'haus',
      'haus',
    ]);
    expect(stemmerOf('none')('running')).toBe('running');
  });

  test('of every language there are, with stop words left out', () => {
    const known: Record<string, string> = {
      arabic: 'من',
      danish: 'og',
      dutch: 'het',
      english: 'the',
      finnish: 'ja',
      french: 'les',
      german: 'und',
      hungarian: 'és',
      italian: 'gli',
      norwegian: 'og',
      portuguese: 'uma',
      auto: 'the',
      chinese: '的',
      japanese: 'は',
      korean: '그리고',
      thai: 'และ',
      romanian: 'sunt',
      russian: 'и',
      spanish: 'los',
      swedish: 'och',
      turkish: 've',
    };
    for (const language of languageSchema.options) {
      const stem = stemmerOf(language);
      expect(stem('zzyzx'), language).toBeTypeOf('string');
      if (language !== 'none') expect(stem(known[language]!), language).toBeUndefined();
    }
  });

  test.each(languageSchema.options)('a word without end is its own term, at once: %s', (language) => {
    for (const letters of ['y', 'ä', 'ing', 'قال', 'ова', 'lık', 'uy']) {
      const word = letters.repeat(200_000 / letters.length);
      expect(stemmerOf(language)(word)).toBe(word);
    }
  });

  test('names that objects have of themselves are words like others', () => {
    for (const word of ['constructor', '__proto__', 'tostring'])
      expect(stemmerOf('english')(word)).toBeTruthy();
  });
});

describe('term ids', () => {
  // MurmurHash3's published values, as absolute values of signed numbers.
  test.each([
    ['', 0],
    ['test', Math.abs(0xba6bd213 | 0)],
    ['hello, world', Math.abs(0x149bbb7f | 0)],
    ['The quick brown fox jumps over the lazy dog', Math.abs(0x2e4ff723 | 0)],
    ['capit', 993_668_915],
    ['今', termId('今')],
  ])('%j is %i', (term, id) => {
    expect(termId(term)).toBe(id);
    expect(termId(term)).toBe(id);
  });

  test('are named by the first word of the texts that has the term', () => {
    const names = termNames(['the foxes ran', 'a fox runs'], english);
    expect(names.get(termId('fox'))).toBe('foxes');
    expect(names.get(termId('run'))).toBe('runs');
    expect(names.size).toBe(3);
  });
});

test('the heaviest terms are kept, with ids ascending', () => {
  const vector = { indices: Uint32Array.of(1, 5, 9, 12), values: Float32Array.of(0.5, 2, 0.5, 1) };
  expect(topTerms(vector, 3)).toEqual({
    indices: Uint32Array.of(1, 5, 12),
    values: Float32Array.of(0.5, 2, 1),
  });
  expect(topTerms(vector, 4)).toBe(vector);
});
