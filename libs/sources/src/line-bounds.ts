/** The maximum number of values in a line, at all levels, including lists and objects. */
const MOST_VALUES = 65_536;
/** Deeper than any document, whose metadata nests at most 16 levels. */
const MOST_LEVELS = 64;
/** A shorter line cannot contain too many values. */
const HARMLESS_BYTES = 64 * 1024;

const [QUOTE, BACKSLASH, COMMA] = [0x22, 0x5c, 0x2c];
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];

/**
 * Why a line of JSON must not be parsed: it has more values, or nests deeper, than any document, and parsing it would
 * take many times its size in memory. Only scans outside of strings; skipping a long text costs one search for its end.
 * Undefined for all other lines, even for invalid JSON.
 */
export function excessIn(line: Buffer): string | undefined {
  if (line.length <= HARMLESS_BYTES) return undefined;
  let values = 0;
  let depth = 0;
  for (let at = 0; at < line.length; at += 1) {
    switch (line[at]) {
      case QUOTE:
        at = stringEnd(line, at + 1);
        break;
      case COMMA:
        values += 1;
        break;
      case OPEN_LIST:
      case OPEN_OBJECT:
        values += 1;
        depth += 1;
        if (depth > MOST_LEVELS) return `the line is nested deeper than ${MOST_LEVELS} levels`;
        break;
      case CLOSE_LIST:
      case CLOSE_OBJECT:
        depth -= 1;
        break;
      default:
        break;
    }
    if (values > MOST_VALUES)
      return `the line has more than ${MOST_VALUES} values, which is too much metadata for a document`;
  }
  return undefined;
}

/** The position of the quote that ends a string, or the line's end. */
function stringEnd(line: Buffer, from: number): number {
  for (let at = line.indexOf(QUOTE, from); at !== -1; at = line.indexOf(QUOTE, at + 1)) {
    let backslashes = 0;
    while (line[at - 1 - backslashes] === BACKSLASH && at - 1 - backslashes >= from) backslashes += 1;
    if (backslashes % 2 === 0) return at;
  }
  return line.length;
}
