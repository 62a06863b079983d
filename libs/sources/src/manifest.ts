import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  parseKept,
  shardRangeSchema,
  type DocumentLimits,
  type DocumentScope,
  type EmbedmillError,
  type JobId,
  type Profile,
  type ShardRange,
  type SourceRef,
} from '@embedmill/jobs';
import { DuplicateFinder } from './duplicates.ts';
import { readDocumentLine, type DocumentKey, type DocumentLine } from './document-line.ts';
import { KeySetWriter } from './key-set.ts';
import { readLines, type Line } from './lines.ts';
import { isSystemError, spoolUnavailable } from './spool-error.ts';
import type { SpooledJob } from './spooled-job.ts';

/**
 * A job's manifest: one line of JSON a shard, in order of the source. It is written once, by one scan of the source
 * before the first shard is dispatched, so that the job's size is known from the start and a document that comes
 * twice is known before either is embedded. While it is scanned it grows in a file on this machine, for only at the
 * end is known which lines come again. Afterwards it is only read, from a saved cursor.
 */
export interface ManifestTotals {
  /** Lines of which nobody can tell what document they are. */
  unnamed: number;
  documents: number;
  shards: number;
}

export interface ShardLimits {
  documents: number;
  bytes: number;
}

/** Small enough that losing one costs seconds, large enough that the queue's own cost does not matter. */
export const SHARD_LIMITS: ShardLimits = { documents: 256, bytes: 256 * 1024 };

/**
 * Scans a source into the job's manifest, which is complete when it exists. Memory does not grow with the source.
 * Errors: those of the source, and `spool_unavailable`.
 */
export async function writeManifest(
  spool: SpooledJob,
  job: JobId,
  source: SourceRef,
  profile: Pick<Profile, 'filterable'>,
  options: {
    limits?: ShardLimits;
    /** What the job says of all its documents. Of a snapshot, their keys are written as well. */
    scope?: DocumentScope | undefined;
    documentLimits?: DocumentLimits | undefined;
    /** Ends the scan, with an error, where more documents are none than this says of those read so far. */
    tooManyInvalid?: (invalid: number) => EmbedmillError | undefined;
    onProgress?: (documents: number) => void;
    signal?: AbortSignal;
  } = {},
): Promise<ManifestTotals> {
  const limits = options.limits ?? SHARD_LIMITS;
  const finder = new DuplicateFinder();
  const totals: ManifestTotals = { documents: 0, shards: 0, unnamed: 0 };
  const keys = options.scope?.mode === 'snapshot' ? new KeySetWriter() : undefined;
  let invalid = 0;
  const scratch = join(tmpdir(), `embedmill-manifest-${randomUUID()}`);
  const out = await open(scratch, 'wx', 0o600).catch((error: unknown) => {
    throw spoolUnavailable('write', scratch, error);
  });
  try {
    let range: ShardRange | undefined;
    let pending = '';
    const cut = (): void => {
      if (range === undefined) return;
      pending += `${JSON.stringify(range)}\n`;
      totals.shards += 1;
      range = undefined;
    };
    for await (const group of readLines(spool.readSource(source))) {
      options.signal?.throwIfAborted();
      for (const line of group) {
        if (range !== undefined && isFull(range, line, limits)) cut();
        range ??= { offset: line.offset, length: 0, firstLine: line.number, documents: 0, duplicates: [] };
        range.length = line.offset + line.length - range.offset;
        range.documents += 1;
        totals.documents += 1;
        const read = readDocumentLine(line, profile, options.scope, options.documentLimits);
        const key = keyIn(read);
        if (key === undefined) totals.unnamed += 1;
        // What failed is not gone, and a document that its line deletes is not there in any case.
        else if (read.kind === 'invalid') await keys?.addFailed(key);
        else await keys?.add(key);
        if (read.kind === 'invalid') invalid += 1;
        else if (key !== undefined) await finder.add(key, line.number);
      }
      const tooMany = options.tooManyInvalid?.(invalid);
      if (tooMany !== undefined) throw tooMany;
      await out.appendFile(pending);
      pending = '';
      options.onProgress?.(totals.documents);
    }
    cut();
    await out.appendFile(pending);
    const ranges = rangesIn(createReadStream(scratch));
    await spool.writeManifest(job, withDuplicates(ranges, finder.duplicates()));
    await keys?.write(spool, job);
    return totals;
  } catch (error) {
    throw isSystemError(error) ? spoolUnavailable('write', scratch, error) : error;
  } finally {
    await out.close();
    await finder.close();
    await keys?.close();
    await rm(scratch, { force: true });
  }
}

/** The shards of a job's manifest from byte `cursor` on, each with the cursor of the one after it. */
export function readManifest(
  spool: Pick<SpooledJob, 'readManifest'>,
  job: JobId,
  cursor = 0,
): AsyncGenerator<{ range: ShardRange; next: number }> {
  return rangesIn(spool.readManifest(job, cursor), cursor);
}

async function* rangesIn(
  bytes: AsyncIterable<Uint8Array>,
  offset = 0,
): AsyncGenerator<{ range: ShardRange; next: number }> {
  for await (const group of readLines(bytes, { offset, firstLine: 1 })) {
    for (const line of group) {
      if (line.bytes === null) throw new RangeError('a line of the manifest is too long');
      const range = parseKept(shardRangeSchema, JSON.parse(line.bytes.toString('utf8')));
      yield { range, next: line.offset + line.length };
    }
  }
}

function keyIn(read: DocumentLine): DocumentKey | undefined {
  switch (read.kind) {
    case 'document':
      return read.document;
    case 'tombstone':
      return read.tombstone;
    case 'invalid':
      return read.key;
  }
}

function isFull(range: ShardRange, line: Line, limits: ShardLimits): boolean {
  return range.documents >= limits.documents || line.offset + line.length - range.offset > limits.bytes;
}

/** The manifest's lines, each with those of the pairs that lie before the next one's first line. */
async function* withDuplicates(
  ranges: AsyncIterable<{ range: ShardRange }>,
  duplicates: AsyncIterator<[number, number]>,
): AsyncGenerator<Uint8Array> {
  let pair = await duplicates.next();
  let previous: ShardRange | undefined;
  const lineOf = async (range: ShardRange, endLine: number): Promise<Buffer> => {
    const within: [number, number][] = [];
    for (; pair.done !== true && pair.value[0] < endLine; pair = await duplicates.next())
      within.push(pair.value);
    return Buffer.from(`${JSON.stringify({ ...range, duplicates: within })}\n`);
  };
  for await (const { range } of ranges) {
    if (previous !== undefined) yield await lineOf(previous, range.firstLine);
    previous = range;
  }
  if (previous !== undefined) yield await lineOf(previous, Number.POSITIVE_INFINITY);
}
