import type { Encoding } from 'tokenizers';

/** The tokens of a text, or of a stretch of one, without special tokens. */
export interface PlainEncoding {
  readonly length: number;
  ids(): ArrayLike<number>;
  /** Per token its first character and one past its last, one pair after another, in UTF-16 units. */
  offsets(): ArrayLike<number>;
}

/** What the native tokenizer gave for a text. It counts code points. */
export function nativeEncoding(encoding: Encoding, text: string): PlainEncoding {
  return {
    length: encoding.getLength(),
    ids: () => encoding.getIds(),
    offsets: () => {
      const units = /[\ud800-\udbff]/.test(text) ? unitOfCodePoint(text) : undefined;
      const pairs = encoding.getOffsets();
      const offsets = new Int32Array(2 * pairs.length);
      for (let n = 0; n < pairs.length; n += 1) {
        const [first = 0, last = 0] = pairs[n] ?? [];
        offsets[2 * n] = units?.[first] ?? first;
        offsets[2 * n + 1] = units?.[last] ?? last;
      }
      return offsets;
    },
  };
}

/** Index in UTF-16 units of each code point, and of the text's end. */
function unitOfCodePoint(text: string): Int32Array {
  const units = new Int32Array(text.length + 1);
  let point = 0;
  for (let unit = 0; unit < text.length; point += 1) {
    units[point] = unit;
    unit += (text.codePointAt(unit) ?? 0) > 0xffff ? 2 : 1;
  }
  units[point] = text.length;
  return units;
}
