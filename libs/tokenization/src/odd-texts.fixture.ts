import fc from 'fast-check';
import type { Tokenizer as NativeTokenizer } from 'tokenizers';
import type { PlainEncoding } from './encoding.ts';

/** An encoding, in a form that can be compared. */
export const plain = (encoding: PlainEncoding) => ({
  length: encoding.length,
  ids: Array.from(encoding.ids()),
  offsets: Array.from(encoding.offsets()),
});

/** The native tokenizer's own result, with code points converted to UTF-16 units. */
export async function expected(native: NativeTokenizer, texts: string[]) {
  const encodings = await native.encodeBatch(texts, { addSpecialTokens: false });
  return encodings.map((encoding, n) => {
    const units = [0];
    for (const character of texts[n] ?? '') units.push((units.at(-1) ?? 0) + character.length);
    const ids = encoding.getIds();
    return {
      length: ids.length,
      ids,
      offsets: encoding
        .getOffsets()
        .flat()
        .map((point) => units[point]),
    };
  });
}

const NASTY = [
  ...['[MASK]', '[SEP]', 'foo[SEP]bar', '[', '[[MASK]]', '[mask]', '<Mill>', '<MILL>', '<m\u0131ll>', 'mill'],
  ...[
    'k-k',
    'K-K',
    '\u212a-k',
    '\u226emill>',
    '日本',
    '😀😀',
    '😀',
    '👩‍👩‍👧',
    '\ufe0f',
    '𝒳𝒴',
    '\u{20000}a',
    '\u{2f800}',
  ],
  ...[
    '\0',
    '\u0001',
    '\u000b',
    '\u000c',
    '\u007f',
    '\u0085',
    '\u00a0',
    '\u00ad',
    '\u200b',
    '\u2028',
    '\u3000',
  ],
  ...[
    '\ufeff',
    '\ufffd',
    '\ud800',
    '\udc00',
    'e\u0301',
    '\u0301',
    '\u0323',
    '\u0344',
    'é',
    'İ',
    'ß',
    'ΑΣ',
    'Σ',
  ],
  ...['ﬁ', '한국어', '각', 'ไทย', '日', '本', '豈', '々', '。', '“', '’', '—', '…', '¿', 'd’où'],
  ...['x'.repeat(63), 'y'.repeat(64), 'z'.repeat(65), ...[99, 100, 101, 102].map((n) => 'a'.repeat(n))],
  ...['é'.repeat(100), 'ab,'.repeat(400), 'é-'.repeat(40), '\r\n', '\t', '\n\n', ' ', '  ', ' '],
];
const asciiWord = fc.string({ unit: fc.constantFrom(...'abcdeTHM019'), minLength: 1, maxLength: 12 });
const mark = fc.constantFrom(...Array.from({ length: 94 }, (_, n) => String.fromCharCode(33 + n)));
const units = fc.string({ unit: fc.nat(0xffff).map((unit) => String.fromCharCode(unit)), maxLength: 40 });
const points = fc.string({ unit: 'binary', maxLength: 40 });
const part = fc.oneof(
  fc.constantFrom(...NASTY),
  fc.constantFrom(...NASTY),
  asciiWord,
  mark,
  fc.constant(' '),
);
const assembled = fc.array(part, { maxLength: 60 }).map((parts) => parts.join(''));
/** Texts that combine many characters with special treatment in tokenizers. */
export const oddTexts = fc.array(fc.oneof({ weight: 4, arbitrary: assembled }, points, units), {
  minLength: 1,
  maxLength: 4,
});
