import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Language } from '@embedmill/jobs';
import { analyzerOf } from './analysis.ts';
import { bm25Document, bm25Query } from './bm25.ts';
import { bm42Document } from './bm42.ts';
import { termId } from './term-id.ts';

const read = (text: string, language: Language = 'none') => [...analyzerOf(language, 2).terms(text)];
const words = (text: string, language: Language = 'none') => read(text, language).map(({ word }) => word);
/** The part of the text that each word represents. */
const places = (text: string) => read(text).map(({ start, end }) => text.slice(start, end));

describe('words', () => {
  test.each([
    ['Don’t stop, 3.5 times!', ['don', 't', 'stop', '3', '5', 'times']],
    ['snake_case and kebab-case', ['snake', 'case', 'and', 'kebab', 'case']],
    ['Größe ΑΣ İstanbul café', ['grösse', 'ασ', 'i̇stanbul', 'café']],
    ['हिन्दी में', ['हिन्दी', 'में']],
    ['今天天气很好', ['今天', '天气', '很好']],
    ['ภาษาไทยง่าย', ['ภาษา', 'ไทย', 'ง่าย']],
    ['iPhone15を買う', ['iphone15', 'を', '買う']],
    ['Java™ №5 x² CO₂ ½', ['java', 'tm', 'no', '5', 'x2', 'co2', '1', '2']],
    ['hello😀world 𝐁𝐨𝐥𝐝', ['hello', 'world', 'bold']],
    ['😀 — … \u00ad \u3164', []],
  ])('%s', (text, expected) => {
    expect(words(text)).toEqual(expected);
  });

  test.each([
    ['composed and decomposed', 'café', 'cafe\u0301'],
    [
      'Vietnamese, with its marks in any order',
      'Việt',
      'Vie\u0302\u0323t',
      'Vie\u0323\u0302t',
      'Vi\u1EB9\u0302t',
    ],
    ['Hangul syllables and jamo', '한국어', '한국어'.normalize('NFD'), 'ᄒ\u1161\u11ab국어'],
    ['Hangul of half width', 'ㅎㅏㄴ', '\uffbe\uffc2\uffa4'],
    ['Devanagari’s nukta', 'क़लम', 'क\u093cलम'],
    ['Arabic’s presentation forms', 'لا', 'ﻻ', 'ﻟﺎ'],
    ['Katakana of half width, with voiced marks', 'ガギパ', 'ｶﾞｷﾞﾊﾟ', 'カ\u3099キ\u3099ハ\u309a'],
    ['ligatures', 'finance office flow', 'ﬁnance oﬃce ﬂow', 'FINANCE OFFICE FLOW'],
    ['letters of full width', 'abc123', 'ＡＢＣ１２３', 'ａｂｃ１２３'],
    [
      'soft hyphens and joiners',
      'cooperation',
      'co\u00adop\u00aderation',
      'co\u2060op\u200deration',
      'coop\ufefferation',
    ],
    ['zero-width non-joiners', 'میخواهم', 'می\u200cخواهم'],
    ['variation selectors', '葛飾', '葛\u{E0100}飾', '葛飾\ufe00'],
    ['grapheme joiners between marks', 'e\u0301', 'e\u034f\u0301', 'é'],
    ['sharp s', 'straße', 'STRASSE', 'STRAẞE', 'Straſſe'],
    ['final sigma', 'ΣΊΣΥΦΟΣ', 'σίσυφος', 'σίσυφοσ'],
    ['a subscribed iota', 'ᾳ', 'ΑΙ', 'α\u0345'],
    ['Roman numerals and circled ones', 'iv 1 a', 'Ⅳ ① Ⓐ', 'ⅳ ¹ ª'],
    ['the Kelvin sign, the micro sign and long s', 'k μ s', 'K µ ſ'],
    ['squared words and units', '株式会社 kg', '㍿ ㎏'],
    ['mathematical letters', 'hx', 'ℌ𝑥', '𝔥𝓍'],
    ['letters that fold to several', 'ʼn ǰ', 'ŉ ǰ', 'ŉ J\u030c'],
  ])('%s are one', (_what, first, ...others) => {
    for (const other of others) expect(words(other)).toEqual(words(first));
    expect(words(first).length).toBeGreaterThan(0);
  });

  test('of Turkish have two letters i, and elsewhere İ is no i', () => {
    expect(words('İSTANBUL ISPARTA ılık I\u0307zmir', 'turkish')).toEqual([
      'istanbul',
      'ısparta',
      'ılık',
      'izmir',
    ]);
    expect(words('ISPARTA ılık', 'english')).toEqual(['isparta', 'ılık']);
    expect(words('istanbul', 'english')).not.toEqual(words('İstanbul', 'english'));
  });

  test('that are stop words are so however they are written', () => {
    expect(read('ＴＨＥ the T\u00adHE', 'english').map(({ term }) => term)).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(read('İÇİN', 'turkish')[0]!.term).toBeUndefined();
  });

  test('stand where the text has them, whole', () => {
    expect(places('a café, cafe\u0301; ﬁnance')).toEqual(['a', 'café', 'cafe\u0301', 'ﬁnance']);
    expect(places('x co\u00adop\u00ad y')).toEqual(['x', 'co\u00adop', 'y']);
    expect(places('葛\u{E0100} ½ ｶﾞ!')).toEqual(['葛\u{E0100}', '½', '½', 'ｶﾞ']);
    expect(places('ﷺ')).toEqual(['ﷺ', 'ﷺ', 'ﷺ', 'ﷺ']);
  });

  test('are also what Unicode does not call like words where it stands alone', () => {
    expect(words('々 〻 ៰')).toEqual(['々', '〻', '៰']);
  });

  const anyText = fc
    .array(
      fc.oneof(
        fc.string({ unit: 'grapheme', maxLength: 8 }),
        fc.string({ unit: 'binary', maxLength: 4 }),
        fc.constantFrom(...'ﬁ½é\u0301\u0323\u00ad\u200d가\u1161\u11a8ｶﾞẞİıIΣς葛\u{E0100}ﷺ㎏K\u3164', ' '),
      ),
      { maxLength: 30 },
    )
    .map((parts) => parts.join(''));

  test('are the same, however Unicode lets a text be written', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        for (const form of ['NFC', 'NFD'] as const) expect(words(text.normalize(form))).toEqual(words(text));
        // Except symbols of several letters, which are separate words.
        fc.pre(!/\p{S}/u.test(text));
        for (const form of ['NFKC', 'NFKD'] as const)
          expect(words(text.normalize(form))).toEqual(words(text));
      }),
      { numRuns: 1000 },
    );
  });

  test('stand one after the other, and by themselves are what they are in the text', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        let last = { start: 0, end: 0 };
        for (const { word, start, end } of read(text)) {
          expect(start).toBeGreaterThanOrEqual(last.start);
          expect(end).toBeGreaterThanOrEqual(last.end);
          expect(end).toBeGreaterThan(start);
          expect(end).toBeLessThanOrEqual(text.length);
          expect(words(text.slice(start, end)).join('')).toContain(word);
          last = { start, end };
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe('the words that a text has of some', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      'flow',
      'low',
      'flows',
      'a',
      'A',
      'Mach2',
      '2',
      "don't",
      'straße',
      'ＦＬＯＷ',
      '流れ',
      'İ',
      'ﬂow',
    ),
    fc.constantFrom(' ', '-', '_', '.', '', '\n', '\u00ad'),
    fc.string({ maxLength: 4 }),
  );
  const text = fc.array(piece, { maxLength: 20 }).map((parts) => parts.join(''));

  test.each([analyzerOf('none', 2), analyzerOf('turkish', 2), analyzerOf('none', 1)])(
    'are those among its terms',
    (analyzer) => {
      const wordsOf = (one: string) => Array.from(analyzer.terms(one), ({ word }) => word);
      fc.assert(
        fc.property(text, text, (read, asked) => {
          const some = new Set(wordsOf(asked));
          const own = new Set(wordsOf(read));
          expect(analyzer.wordsAmong(read, some)).toEqual(new Set([...some].filter((word) => own.has(word))));
        }),
        { numRuns: 1000 },
      );
    },
  );
});

describe('terms of words that Unicode calls equal', () => {
  const english = analyzerOf('english', 2);

  test('meet in BM25', () => {
    const { indices } = bm25Document('the cafe\u0301 of ﬁnance', english, { k1: 1.2, b: 0.75 }, 4);
    expect([...bm25Query('FINANCE CAFÉ', english).indices]).toEqual([...indices]);
  });

  test('meet in BM42, and words of one character share its attention', () => {
    const text = '½ cafe\u0301';
    const attention = Float32Array.of(0.5, 0.1, 0.3, 0.1);
    const { indices, values } = bm42Document(text, [-1, -1, 0, 1, 2, 7, -1, -1], attention, english);
    const weightOf = (term: string) => values[indices.indexOf(termId(term))];
    expect(weightOf('café')).toBeCloseTo(Math.sqrt(Math.log1p(0.3)), 6);
    for (const digit of ['1', '2']) expect(weightOf(digit)).toBeCloseTo(Math.sqrt(Math.log1p(0.1)), 6);
  });
});
