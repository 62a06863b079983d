const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const BOM = Buffer.from([0xef, 0xbb, 0xbf]);

/** The maximum length of a line in bytes; a longer one is skipped and reported. */
export const MAX_LINE_BYTES = 32 * 1024 * 1024;

/** One line of a source. `bytes` excludes its line end; null if the line was too long. */
export interface Line {
  number: number;
  /** The line's offset in the source, and its length including its line end. */
  offset: number;
  length: number;
  bytes: Buffer | null;
}

/**
 * The lines of a stream of bytes that starts at `offset` of its source with line `firstLine`, in groups as they arrive.
 * Blank lines count in the numbers, but are not returned. Memory is bounded by `maxLineBytes`.
 */
export async function* readLines(
  stream: AsyncIterable<Uint8Array>,
  start: { offset: number; firstLine: number } = { offset: 0, firstLine: 1 },
  maxLineBytes = MAX_LINE_BYTES,
): AsyncGenerator<Line[]> {
  let offset = start.offset;
  let number = start.firstLine;
  let held: Buffer[] = [];
  let heldBytes = 0;
  let group: Line[] = [];

  const take = (end: Buffer): void => {
    const length = heldBytes + end.length;
    const tooLong = length > maxLineBytes;
    const bytes = tooLong ? null : trimEnds(held.length === 0 ? end : Buffer.concat([...held, end]), offset);
    if (bytes === null || bytes.length > 0) group.push({ number, offset, length, bytes });
    offset += length;
    number += 1;
    held = [];
    heldBytes = 0;
  };

  for await (const part of stream) {
    const chunk = Buffer.isBuffer(part) ? part : Buffer.from(part.buffer, part.byteOffset, part.byteLength);
    let from = 0;
    for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, from)) {
      take(chunk.subarray(from, at + 1));
      from = at + 1;
    }
    if (from < chunk.length) {
      heldBytes += chunk.length - from;
      if (heldBytes <= maxLineBytes) held.push(Buffer.from(chunk.subarray(from)));
      else held = [];
    }
    if (group.length > 0) {
      yield group;
      group = [];
    }
  }
  if (heldBytes > 0) take(Buffer.alloc(0));
  if (group.length > 0) yield group;
}

function trimEnds(line: Buffer, offset: number): Buffer {
  let start = offset === 0 && line.subarray(0, 3).equals(BOM) ? 3 : 0;
  let end = line.length;
  if (line[end - 1] === NEWLINE) end -= 1;
  if (line[end - 1] === CARRIAGE_RETURN) end -= 1;
  const isBlank = (byte: number | undefined) => byte === 0x20 || byte === 0x09 || byte === CARRIAGE_RETURN;
  while (start < end && isBlank(line[start])) start += 1;
  while (end > start && isBlank(line[end - 1])) end -= 1;
  return line.subarray(start, end);
}
