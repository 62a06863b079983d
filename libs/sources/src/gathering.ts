import { asEmbedmillError, type JobId, type SourceEncoding, type StoredSource } from '@embedmill/jobs';
import type { FileLines } from './file-lines.ts';
import { jsonLines, readFileList, type FileFault, type ListedFile } from './file-list.ts';
import { faultLine, fileFaultCodeSchema, RowFault } from './row-fault.ts';
import type { Spool } from './spool.ts';
import { abortable, linesOf, type Reading, type Stretch } from './transcode.ts';

const NEWLINE = 0x0a;
const LINE_END = Buffer.from([NEWLINE]);
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);
const PLAIN: SourceEncoding = { format: 'ndjson', gzip: false };

export interface Gathered {
  source: StoredSource;
  files: number;
  /** The number of files that could not be read, entirely or from some point on. */
  unread: number;
}

/**
 * Concatenates the files of a list to one NDJSON source, in the list's order, and records which lines belong to which
 * file (file-lines.ts). A file that cannot be read becomes a line with the reason, after whatever could be read of it;
 * the other files are still read. Memory grows with the number of files, not with their size. Errors: temporary ones,
 * of reading or of the spool; `payload_too_large` if the total exceeds `maxBytes`.
 */
export async function gather(
  spool: Spool,
  job: JobId,
  { list, packed }: { list: StoredSource; packed?: StoredSource | undefined },
  options: Reading & { signal?: AbortSignal },
): Promise<Gathered> {
  const index: FileLines[] = [];
  let firstLine = 1;
  let unread = 0;

  async function* linesOfAll(): AsyncGenerator<Uint8Array> {
    for await (const file of readFileList(spool, list)) {
      let lines = 0;
      let isEnded = true;
      let fault: FileFault | undefined;
      try {
        for await (const piece of linesIn(file)) {
          if (piece.length === 0) continue;
          lines += newlinesIn(piece);
          isEnded = piece.at(-1) === NEWLINE;
          yield piece;
        }
      } catch (thrown) {
        options.signal?.throwIfAborted();
        fault = faultOfFile(thrown);
      }
      if (!isEnded) {
        lines += 1;
        yield LINE_END;
      }
      if (fault !== undefined) {
        lines += 1;
        unread += 1;
        const message = `the file ${JSON.stringify(file.name)} cannot be read: ${fault.message}`;
        yield Buffer.from(`${faultLine(new RowFault(fault.code, message.slice(0, 2000)))}\n`);
      }
      index.push({ name: file.name, firstLine, lines, fault });
      firstLine += lines;
    }
  }

  function linesIn({ name, at, encoding = PLAIN }: ListedFile): AsyncGenerator<Uint8Array> {
    const of = (stretch: Stretch) => withoutMark(linesOf(spool, stretch, { ...encoding, name }, options));
    switch (at.kind) {
      case 'packed':
        if (packed === undefined) throw new TypeError('the list has an uploaded file, and none was uploaded');
        return of({ source: packed, offset: at.offset, size: at.size });
      case 'file':
      case 's3':
        return of({ source: at, offset: 0, size: at.size });
      case 'none':
        throw new UnreadableFile(at.fault);
      case 'url':
        throw new TypeError('a URL is fetched before its file is read');
    }
  }

  const { signal, maxBytes } = options;
  const { source } = await spool.receive(job, abortable(linesOfAll(), signal), { maxBytes });
  await spool.writeFiles(job, jsonLines(index));
  return { source, files: index.length, unread };
}

/** A file already known to be unreadable. */
class UnreadableFile extends Error {
  readonly fault: FileFault;

  constructor(fault: FileFault) {
    super(fault.message);
    this.fault = fault;
  }
}

/** Why a file cannot be read. Throws temporary errors, so that the whole job is retried. */
export function faultOfFile(thrown: unknown): FileFault {
  if (thrown instanceof UnreadableFile) return thrown.fault;
  const error = asEmbedmillError(thrown);
  if (error.retryable) throw thrown;
  const code = fileFaultCodeSchema.safeParse(error.code).data ?? 'source_unreadable';
  return { code, message: error.message };
}

/** A byte order mark is skipped at the start of a source, but here it would be in the middle. */
async function* withoutMark(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let isFirst = true;
  for await (const piece of bytes) {
    const isMarked = isFirst && BYTE_ORDER_MARK.equals(piece.subarray(0, BYTE_ORDER_MARK.length));
    yield isMarked ? piece.subarray(BYTE_ORDER_MARK.length) : piece;
    isFirst = false;
  }
}

function newlinesIn(piece: Uint8Array): number {
  let lines = 0;
  for (let at = piece.indexOf(NEWLINE); at !== -1; at = piece.indexOf(NEWLINE, at + 1)) lines += 1;
  return lines;
}
