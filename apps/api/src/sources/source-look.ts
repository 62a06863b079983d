import { createHash, hash } from 'node:crypto';
import { EmbedmillError, type WatchedSource } from '@embedmill/jobs';
import { openSource, type OpenUrl } from '@embedmill/sources';
import { filesAt, type NamedFile, type Readable } from './source-files.ts';

/** The current files of a watched source, and the version of each by its name. */
export interface Look {
  files: NamedFile[];
  marks: ReadonlyMap<string, string>;
  /** Covers all files and how they are read; it differs if anything has changed. */
  fingerprint: string;
}

/**
 * Checks a source for changes: files by size and time, objects by ETag, URLs by ETag or date, or by their bytes if the
 * server sends neither. Errors: those of `filesAt` and of fetching, and that of a single unreadable file, which may be
 * back the next time.
 */
export async function lookAt(
  source: WatchedSource,
  readable: Readable,
  fetching: { open: OpenUrl; maxBytes: number; signal: AbortSignal },
): Promise<Look> {
  const { files: places, format, columns, metadata, delimiter, encoding, listSeparator } = source;
  const files = await filesAt(places, format !== undefined, readable);
  const marks = new Map<string, string>();
  for (const [n, { name, at }] of files.entries()) {
    fetching.signal.throwIfAborted();
    marks.set(marks.has(name) ? `${name} ${n}` : name, await markOf(at, fetching));
  }
  const { mode, maxDeleted } = source;
  const read = [format, columns, metadata, delimiter, encoding, listSeparator, mode, maxDeleted];
  return { files, marks, fingerprint: hash('sha256', JSON.stringify([[...marks], read])) };
}

async function markOf(
  at: NamedFile['at'],
  { open, maxBytes, signal }: { open: OpenUrl; maxBytes: number; signal: AbortSignal },
): Promise<string> {
  switch (at.kind) {
    case 'file':
      return `${at.size} ${at.modified}`;
    case 's3':
      return `${at.size} ${at.etag}`;
    case 'url': {
      const { version, body } = await openSource(at.url, { open, maxBytes, signal, isDocument: true });
      if (version !== undefined) {
        await body.return(undefined);
        return version;
      }
      const digest = createHash('sha256');
      for await (const bytes of body) digest.update(bytes);
      return digest.digest('hex');
    }
    case 'none':
      throw new EmbedmillError(at.fault.code, at.fault.message);
    case 'packed':
      throw new TypeError('a watched source has no uploads');
  }
}

/** How many files were added, changed and removed. */
export function changesOf(
  before: ReadonlyMap<string, string>,
  now: ReadonlyMap<string, string>,
): { added: number; changed: number; removed: number } {
  let [added, changed] = [0, 0];
  for (const [name, mark] of now) {
    const known = before.get(name);
    if (known === undefined) added += 1;
    else if (known !== mark) changed += 1;
  }
  return { added, changed, removed: before.size + added - now.size };
}
