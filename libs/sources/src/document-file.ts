import {
  asEmbedmillError,
  EmbedmillError,
  MOST_FILE_BYTES,
  parseJson,
  type DocumentStructure,
} from '@embedmill/jobs';
import { MAX_LINE_BYTES } from './lines.ts';
import { faultLine, rowFaultCodeSchema, RowFault } from './row-fault.ts';

/** A file parsed as a document. */
export interface ParsedFile {
  title: string | undefined;
  text: string;
  structure: DocumentStructure;
  metadata: object;
}

/** Parses a file in another process. Its permanent errors are the file's fault. */
export type ParseFile = (file: { bytes: Uint8Array; name: string }) => Promise<ParsedFile>;

/** The bytes examined to decide whether a file is NDJSON. */
const MOST_FIRST_LINE = 1024 * 1024;
const MOST_ID_CHARACTERS = 512;
const NEWLINE = 0x0a;

/**
 * Converts a file to the line of one document, whose id is the file's name; or to its own lines, if it is NDJSON after
 * all. A file that cannot be parsed becomes a line with the reason, so that the failure is this document's, and its
 * stored version stays.
 */
export async function* documentFileLines(
  bytes: AsyncIterable<Uint8Array>,
  { name, parse }: { name: string; parse: ParseFile },
): AsyncGenerator<Uint8Array> {
  const held: Uint8Array[] = [];
  let size = 0;
  let isLooked = false;
  let isLines = false;
  for await (const piece of bytes) {
    if (isLines) {
      yield piece;
      continue;
    }
    held.push(piece);
    size += piece.length;
    if (size > MOST_FILE_BYTES) return yield lineOfFault(name, tooLarge());
    if (isLooked || (!piece.includes(NEWLINE) && size < MOST_FIRST_LINE)) continue;
    isLooked = true;
    isLines = beginsAsLines(Buffer.concat(held));
    if (isLines) yield* held.splice(0);
  }
  if (isLines) return;
  const whole = Buffer.concat(held);
  if (beginsAsLines(whole)) return yield whole;
  yield await lineOf(name, whole, parse);
}

async function lineOf(name: string, bytes: Uint8Array, parse: ParseFile): Promise<Uint8Array> {
  let parsed: ParsedFile;
  try {
    parsed = await parse({ bytes, name });
  } catch (thrown) {
    return lineOfFault(name, asEmbedmillError(thrown));
  }
  const { title, text, structure } = parsed;
  const document = {
    id: idOf(name),
    title: title?.slice(0, 1000).toWellFormed(),
    text,
    structure,
    metadata: { path: name, ...parsed.metadata },
  };
  const line = Buffer.from(`${JSON.stringify(document)}\n`);
  return line.length <= MAX_LINE_BYTES ? line : lineOfFault(name, tooLarge());
}

/** Throws temporary errors, so that the whole job is retried. */
function lineOfFault(name: string, error: EmbedmillError): Uint8Array {
  const code = rowFaultCodeSchema.safeParse(error.code).data;
  if (error.retryable || code === undefined) throw error;
  return Buffer.from(`${faultLine(new RowFault(code, error.message.slice(0, 2000)), idOf(name))}\n`);
}

function tooLarge(): EmbedmillError {
  const message = `it, or the text in it, has more than ${MOST_FILE_BYTES} bytes; split it into several`;
  return new EmbedmillError('payload_too_large', message);
}

function idOf(name: string): string {
  return name.slice(-MOST_ID_CHARACTERS).toWellFormed();
}

/** Whether the first line is a document. */
function beginsAsLines(start: Buffer): boolean {
  const text = start
    .subarray(0, MOST_FIRST_LINE)
    .toString('utf8')
    .replace(/^\uFEFF/, '')
    .trimStart();
  if (!text.startsWith('{')) return false;
  try {
    const [first = ''] = text.split('\n', 1);
    const value = parseJson(first) as object;
    return 'id' in value && ['text', 'image', 'video', 'vector', 'deleted'].some((field) => field in value);
  } catch {
    return false;
  }
}
