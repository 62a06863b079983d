import { isUtf8 } from 'node:buffer';

/**
 * Marks bytes in decoded text that are invalid in its encoding: half of a surrogate pair, which valid text never
 * contains, so that the affected row or line can be identified.
 */
const UNDECODABLE = '\uDC80';
/** Matches the mark, but not the second half of a pair. */
const LONE_MARK = /\uDC80/u;
const NO_UTF8 = Buffer.from([0xff]);
const REPLACEMENT = /\uFFFD/g;
const BYTE_ORDER_MARK = '\uFEFF';
const [NEWLINE, CARRIAGE_RETURN] = [0x0a, 0x0d];
/** The length of an unfinished line from which it is decoded anyway. */
const LONGEST_HELD = 1 << 20;

/**
 * Decodes a stream of bytes to text. `encoding` is a name that `TextDecoder` knows, UTF-8 by default; a byte order mark
 * takes precedence. Never throws for invalid bytes: see `UNDECODABLE`.
 */
export async function* decodedText(
  bytes: AsyncIterable<Uint8Array>,
  encoding = 'utf-8',
): AsyncGenerator<string> {
  const iterator = bytes[Symbol.asyncIterator]();
  let start = Buffer.alloc(0);
  while (start.length < 3) {
    const { done, value } = await iterator.next();
    if (done === true) break;
    start = Buffer.concat([start, value]);
  }
  async function* whole(): AsyncGenerator<Uint8Array> {
    yield start;
    yield* { [Symbol.asyncIterator]: () => iterator };
  }
  const marked = byteOrderMark(start);
  const name = marked ?? encoding;
  yield* name === 'utf-8' ? utf8Text(whole()) : otherText(whole(), name);
}

/** The encoding that a byte order mark declares; undefined if there is none. */
export function byteOrderMark(start: Uint8Array): string | undefined {
  if (start[0] === 0xef && start[1] === 0xbb && start[2] === 0xbf) return 'utf-8';
  if (start[0] === 0xff && start[1] === 0xfe) return 'utf-16le';
  return start[0] === 0xfe && start[1] === 0xff ? 'utf-16be' : undefined;
}

/** Encodes text as UTF-8; a mark for undecodable bytes becomes an invalid byte. */
export async function* utf8Bytes(texts: AsyncIterable<string>): AsyncGenerator<Uint8Array> {
  for await (const text of texts) {
    if (text.isWellFormed()) yield Buffer.from(text);
    else
      yield Buffer.concat(
        text.split(LONE_MARK).flatMap((part, n) => [...(n > 0 ? [NO_UTF8] : []), Buffer.from(part)]),
      );
  }
}

async function* utf8Text(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  let isFirst = true;
  for await (const chunk of bytes) {
    const end = lineEnd(chunk);
    if (end === 0 && heldBytes + chunk.length <= LONGEST_HELD) {
      held.push(chunk);
      heldBytes += chunk.length;
      continue;
    }
    const whole =
      held.length === 0
        ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length)
        : Buffer.concat([...held, chunk]);
    const cut = end === 0 ? characterEnd(whole) : heldBytes + end;
    yield decoded(whole.subarray(0, cut));
    held = cut < whole.length ? [Buffer.from(whole.subarray(cut))] : [];
    heldBytes = whole.length - cut;
  }
  if (heldBytes > 0) yield decoded(Buffer.concat(held));

  function decoded(lines: Buffer): string {
    const text = isUtf8(lines) ? lines.toString('utf8') : lineByLine(lines);
    const hasMark = isFirst && text.startsWith(BYTE_ORDER_MARK);
    isFirst = false;
    return hasMark ? text.slice(1) : text;
  }
}

function lineByLine(bytes: Buffer): string {
  let text = '';
  for (let at = 0; at < bytes.length;) {
    const newline = bytes.indexOf(NEWLINE, at);
    const end = newline === -1 ? bytes.length : newline + 1;
    const line = bytes.subarray(at, end);
    text += isUtf8(line) ? line.toString('utf8') : line.toString('utf8').replace(REPLACEMENT, UNDECODABLE);
    at = end;
  }
  return text;
}

async function* otherText(bytes: AsyncIterable<Uint8Array>, encoding: string): AsyncGenerator<string> {
  const decoder = new TextDecoder(encoding);
  const marked = (text: string) => text.replace(REPLACEMENT, UNDECODABLE);
  for await (const chunk of bytes) yield marked(decoder.decode(chunk, { stream: true }));
  yield marked(decoder.decode());
}

/** The end of the last complete line; 0 if there is none. */
function lineEnd(bytes: Uint8Array): number {
  return Math.max(bytes.lastIndexOf(NEWLINE), bytes.lastIndexOf(CARRIAGE_RETURN)) + 1;
}

/** The end of the last complete UTF-8 character. */
function characterEnd(bytes: Uint8Array): number {
  for (let back = 1; back <= 3 && back <= bytes.length; back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (byte >= 0xc0) return bytes.length - back;
    if (byte < 0x80) break;
  }
  return bytes.length;
}
