import { createReadStream } from 'node:fs';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import {
  shardRangeSchema,
  type Profile,
  type ShardRange,
  type SourceRef,
  type TenantId,
} from '@embedmill/jobs';
import { DuplicateFinder } from './duplicates.ts';
import { readDocumentLine } from './document-line.ts';
import { readLines, type Line } from './lines.ts';
import { readSource } from './source-bytes.ts';

/**
 * A job's manifest: one line of JSON a shard, in order of the source. It is written once, by one scan of the
 * source before the first shard is dispatched, so that the job's size is known from the start and a document
 * that comes twice is known before either is embedded. Afterwards it is only read, from a saved cursor.
 */
export interface ManifestTotals {
  documents: number;
  shards: number;
}

export interface ShardLimits {
  documents: number;
  bytes: number;
}

/** Small enough that losing one costs seconds, large enough that the queue's own cost does not matter. */
export const SHARD_LIMITS: ShardLimits = { documents: 256, bytes: 256 * 1024 };

/** Scans a source into the manifest at `path`, which is complete when it exists. Memory does not grow with the source. */
export async function writeManifest(
  path: string,
  source: SourceRef,
  profile: Pick<Profile, 'filterable'>,
  options: {
    limits?: ShardLimits;
    /** The only tenant whose documents may come. */
    tenant?: TenantId | undefined;
    onProgress?: (documents: number) => void;
    signal?: AbortSignal;
  } = {},
): Promise<ManifestTotals> {
  const limits = options.limits ?? SHARD_LIMITS;
  const finder = new DuplicateFinder();
  const totals = { documents: 0, shards: 0 };
  const partial = `${path}.partial`;
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const out = await open(partial, 'w');
  try {
    let range: ShardRange | undefined;
    let pending = '';
    const cut = (): void => {
      if (range === undefined) return;
      pending += `${JSON.stringify(range)}\n`;
      totals.shards += 1;
      range = undefined;
    };
    for await (const group of readLines(readSource(source))) {
      options.signal?.throwIfAborted();
      for (const line of group) {
        if (range !== undefined && isFull(range, line, limits)) cut();
        range ??= { offset: line.offset, length: 0, firstLine: line.number, documents: 0, superseded: [] };
        range.length = line.offset + line.length - range.offset;
        range.documents += 1;
        totals.documents += 1;
        const read = readDocumentLine(line, profile, options.tenant);
        if (read.ok) await finder.add(read.document, line.number);
      }
      await out.appendFile(pending);
      pending = '';
      options.onProgress?.(totals.documents);
    }
    cut();
    await out.appendFile(pending);
    await out.sync();
    const superseded = await finder.superseded();
    if (superseded.length > 0) await addSuperseded(partial, superseded);
    await rename(partial, path);
    return totals;
  } finally {
    await out.close();
    await finder.close();
    await rm(partial, { force: true });
  }
}

/** The shards of a manifest from byte `cursor` on, each with the cursor of the one after it. */
export async function* readManifest(
  path: string,
  cursor = 0,
): AsyncGenerator<{ range: ShardRange; next: number }> {
  const stream = createReadStream(path, { start: cursor });
  for await (const group of readLines(stream, { offset: cursor, firstLine: 1 })) {
    for (const line of group) {
      if (line.bytes === null) throw new RangeError(`a line of ${path} is too long`);
      const range = shardRangeSchema.parse(JSON.parse(line.bytes.toString('utf8')));
      yield { range, next: line.offset + line.length };
    }
  }
}

function isFull(range: ShardRange, line: Line, limits: ShardLimits): boolean {
  return range.documents >= limits.documents || line.offset + line.length - range.offset > limits.bytes;
}

async function addSuperseded(path: string, superseded: [number, number][]): Promise<void> {
  const merged = `${path}.merged`;
  const out = await open(merged, 'w');
  try {
    let at = 0;
    let previous: ShardRange | undefined;
    const write = async (range: ShardRange, endLine: number): Promise<void> => {
      for (; at < superseded.length; at += 1) {
        const pair = superseded[at];
        if (pair === undefined || pair[0] >= endLine) break;
        range.superseded.push(pair);
      }
      await out.appendFile(`${JSON.stringify(range)}\n`);
    };
    for await (const { range } of readManifest(path)) {
      if (previous !== undefined) await write(previous, range.firstLine);
      previous = range;
    }
    if (previous !== undefined) await write(previous, Number.POSITIVE_INFINITY);
    await out.sync();
  } finally {
    await out.close();
  }
  await rename(merged, path);
}
