import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
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
 * A job's manifest: one line of JSON a shard, in order of the source. It has a part for each section of the source, most
 * often one. A part is written once, by one scan of its section before the first shard of that is dispatched, so that a
 * document that comes twice in it is known before either is embedded. While it is scanned it grows in a file on this
 * machine, for only at the end is known which lines come again. Afterwards it is only read, from a saved cursor. A scan
 * that is repeated writes the same part again.
 */
export interface ManifestTotals {
  /** Lines of which nobody can tell what document they are. */
  unnamed: number;
  documents: number;
  shards: number;
  /** Behind the last line of the section. */
  end: { offset: number; line: number };
}

/** A section of a source: where its first line begins, and the byte before which its last one does. */
export interface SectionStart {
  number: number;
  offset: number;
  line: number;
  until?: number | undefined;
}

/** A place in a manifest: a byte of one of its parts. */
export interface ManifestPlace {
  section: number;
  offset: number;
}

export interface ShardLimits {
  documents: number;
  bytes: number;
}

/** Small enough that losing one costs seconds, large enough that the queue's own cost does not matter. */
export const SHARD_LIMITS: ShardLimits = { documents: 256, bytes: 256 * 1024 };

/**
 * Scans a source, or one section of it, into the job's manifest, whose part is complete when it exists. Memory does not grow
 * with the source.
 * Errors: those of the source, and `spool_unavailable`.
 */
export async function writeManifest(
  spool: SpooledJob,
  job: JobId,
  source: SourceRef,
  profile: Pick<Profile, 'filterable'>,
  options: {
    limits?: ShardLimits;
    /** The whole source by default. */
    section?: SectionStart | undefined;
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
  const { section = { number: 0, offset: 0, line: 1 } } = options;
  const { until = Number.POSITIVE_INFINITY } = section;
  const end = { offset: section.offset, line: section.line };
  const totals: ManifestTotals = { documents: 0, shards: 0, unnamed: 0, end };
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
    const bytes = bytesFrom(spool, source, section.offset);
    for await (const read of readLines(bytes, { offset: section.offset, firstLine: section.line })) {
      options.signal?.throwIfAborted();
      const group = read.filter(({ offset }) => offset < until);
      for (const line of group) {
        end.offset = line.offset + line.length;
        end.line = line.number + 1;
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
      if (group.length < read.length) break;
    }
    cut();
    await out.appendFile(pending);
    const ranges = rangesIn(createReadStream(scratch));
    await spool.writeManifest(job, section.number, withDuplicates(ranges, finder.duplicates()));
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

/**
 * The shards of a job's manifest from a place on, each with the place of the one after it. The manifest has so many
 * sections; one by default.
 */
export async function* readManifest(
  spool: Pick<SpooledJob, 'readManifest'>,
  job: JobId,
  {
    section: first = 0,
    offset = 0,
    sections = 1,
  }: Partial<ManifestPlace> & { sections?: number | undefined } = {},
): AsyncGenerator<{ range: ShardRange; next: ManifestPlace }> {
  for (let section = first; section < sections; section += 1) {
    const from = section === first ? offset : 0;
    for await (const { range, next } of rangesIn(spool.readManifest(job, section, from), from))
      yield { range, next: { section, offset: next } };
  }
}

/** Nothing at the end of a stored source, where a bucket has no byte to read. */
function bytesFrom(
  spool: Pick<SpooledJob, 'readSource'>,
  source: SourceRef,
  offset: number,
): AsyncIterable<Uint8Array> {
  if (source.kind !== 'inline' && offset > 0 && offset >= source.size) return Readable.from([]);
  return offset === 0 ? spool.readSource(source) : spool.readSource(source, offset);
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
