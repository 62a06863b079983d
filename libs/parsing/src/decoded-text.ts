import { fault } from './parsed-document.ts';

/** The bytes examined to detect a text's encoding. */
const HEAD_BYTES = 4096;
const LEAST_PAIRS = 4;

/** Whether bytes are text: they contain no NUL, unless a byte order mark declares UTF-16. */
export function isText(bytes: Uint8Array): boolean {
  return markOf(bytes) !== undefined || !bytes.subarray(0, 64 * 1024).includes(0);
}

/**
 * Decodes bytes to text: by their byte order mark, by the declaration at the start of a page or an XML file, else as
 * UTF-8, and if that is invalid as windows-1252, which accepts any bytes. Errors: `document_unreadable` for an unknown
 * declared encoding.
 */
export function decodedText(bytes: Uint8Array): string {
  const named = markOf(bytes) ?? declaredIn(bytes);
  if (named !== undefined) {
    try {
      return new TextDecoder(named).decode(bytes);
    } catch (error) {
      throw fault('document_unreadable', `it declares the unknown encoding ${JSON.stringify(named)}`, error);
    }
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder('windows-1252').decode(bytes);
  }
}

function markOf(bytes: Uint8Array): string | undefined {
  const [first, second, third] = bytes;
  if (first === 0xef && second === 0xbb && third === 0xbf) return 'utf-8';
  if (first === 0xff && second === 0xfe) return 'utf-16le';
  return first === 0xfe && second === 0xff ? 'utf-16be' : utf16In(bytes);
}

/** Detects UTF-16 without a byte order mark in mostly Latin text: every other byte is 0, and the others are ASCII. */
function utf16In(bytes: Uint8Array): string | undefined {
  const pairs = Math.min(bytes.length, HEAD_BYTES) >> 1;
  if (pairs < LEAST_PAIRS) return undefined;
  const zeros = [0, 0];
  const letters = [0, 0];
  for (let at = 0; at < 2 * pairs; at += 1) {
    const byte = bytes[at] ?? 0;
    if (byte === 0) zeros[at % 2] = (zeros[at % 2] ?? 0) + 1;
    else if ((byte >= 0x20 && byte < 0x7f) || (byte >= 0x09 && byte <= 0x0d))
      letters[at % 2] = (letters[at % 2] ?? 0) + 1;
  }
  const isMost = (count: number | undefined): boolean => (count ?? 0) > 0.8 * pairs;
  if (isMost(letters[0]) && isMost(zeros[1])) return 'utf-16le';
  return isMost(letters[1]) && isMost(zeros[0]) ? 'utf-16be' : undefined;
}

function declaredIn(bytes: Uint8Array): string | undefined {
  const head = Buffer.from(bytes.subarray(0, HEAD_BYTES)).toString('latin1');
  const said =
    /<meta[^>]{0,200}charset\s*=\s*["']?\s*([\w-]{1,40})/i.exec(head) ??
    /^<\?xml[^>]{0,200}encoding\s*=\s*["']([\w-]{1,40})/i.exec(head);
  const name = said?.[1]?.toLowerCase();
  // A declaration of UTF-16 is wrong here, because it was itself read as ASCII.
  return name === undefined || name.startsWith('utf-16') || name === 'utf-8' ? undefined : name;
}
