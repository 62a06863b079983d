import type { Encoding } from 'tokenizers';

/** The tokens of a text, or of part of one, without special tokens. */
export interface PlainEncoding {
  readonly length: number;
  ids(): ArrayLike<number>;
  /** For each token its first character and one past its last, as consecutive pairs, in UTF-16 units. */
  offsets(): ArrayLike<number>;
}

/** The tokens of many texts, concatenated; grows as needed. */
export class TokenColumns {
  length = 0;
  ids: Int32Array;
  offsets: Int32Array;

  constructor(capacity: number) {
    this.ids = new Int32Array(capacity);
    this.offsets = new Int32Array(2 * capacity);
  }

  /** Makes room for this many more tokens. */
  reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.ids.length) return;
    const { ids, offsets } = this;
    const capacity = Math.max(needed, 2 * ids.length);
    this.ids = new Int32Array(capacity);
    this.ids.set(ids);
    this.offsets = new Int32Array(2 * capacity);
    this.offsets.set(offsets);
  }

  push(id: number, first: number, last: number): void {
    this.reserve(1);
    this.ids[this.length] = id;
    this.offsets[2 * this.length] = first;
    this.offsets[2 * this.length + 1] = last;
    this.length += 1;
  }

  /** Appends a slice of another encoding, shifted by `shift` characters. */
  append({ tokens, from, length }: TokenSlice, shift: number): void {
    this.reserve(length);
    for (let n = 0; n < length; n += 1) {
      this.ids[this.length + n] = tokens.ids[from + n] ?? 0;
    }
    for (let n = 0; n < 2 * length; n += 1) {
      this.offsets[2 * this.length + n] = shift + (tokens.offsets[2 * from + n] ?? 0);
    }
    this.length += length;
  }

  /** Tokens `from` to `to`, without a copy. */
  slice(from: number, to: number): TokenSlice {
    return new TokenSlice(this, from, to);
  }
}

export class TokenSlice implements PlainEncoding {
  readonly tokens: TokenColumns;
  readonly from: number;
  readonly length: number;

  constructor(tokens: TokenColumns, from: number, to: number) {
    this.tokens = tokens;
    this.from = from;
    this.length = to - from;
  }

  ids(): Int32Array {
    return this.tokens.ids.subarray(this.from, this.from + this.length);
  }

  offsets(): Int32Array {
    return this.tokens.offsets.subarray(2 * this.from, 2 * (this.from + this.length));
  }
}

/** The native tokenizer's result for a text, with offsets in code points. */
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

/** The index of each code point, and of the text's end, in UTF-16 units. */
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
