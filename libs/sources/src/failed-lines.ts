import type { CopiedSections, DocumentReport, JobId, SourceRef } from '@embedmill/jobs';
import { readLines, type Line } from './lines.ts';
import { readManifest } from './manifest.ts';
import { reportsIn, type ShardReports } from './shard-reports.ts';
import type { SpooledJob } from './spooled-job.ts';

export interface FailedSource {
  source: SourceRef;
  /** How many it has; one by default. */
  sections?: number | undefined;
  /** Hears of each line that is given out. */
  copied?: CopiedSections;
}

type Span = Pick<Line, 'offset' | 'length'>;

/** The bytes of a source that are read at once to reach lines in it. */
const STRETCH_BYTES = 1024 * 1024;

/**
 * The failed lines of a job's source, in order. For a shard whose reports do not list all of them, every line that no
 * later line of the job replaced: a document that is already stored costs only a check when it is submitted again. With
 * `wanted`, only the listed ones that it accepts.
 */
export async function* failedLines(
  spool: Pick<SpooledJob, 'readSource' | 'readManifest'>,
  job: JobId,
  { source, sections, copied }: FailedSource,
  failures: AsyncIterable<ShardReports & { shard: number }>,
  wanted?: (report: DocumentReport) => boolean,
): AsyncGenerator<Uint8Array> {
  // Lines near one another are read at once, because each read from a bucket is slow.
  let near: Span[] = [];
  for await (const span of failedSpans(spool, job, { source, sections }, failures, wanted)) {
    const start = near[0]?.offset ?? span.offset;
    if (span.offset < start || span.offset + span.length - start > STRETCH_BYTES) {
      yield* linesOf(near, spool, source, copied);
      near = [];
    }
    near.push(span);
  }
  yield* linesOf(near, spool, source, copied);
}

async function* failedSpans(
  spool: Pick<SpooledJob, 'readSource' | 'readManifest'>,
  job: JobId,
  { source, sections }: Pick<FailedSource, 'source' | 'sections'>,
  failures: AsyncIterable<ShardReports & { shard: number }>,
  wanted: ((report: DocumentReport) => boolean) | undefined,
): AsyncGenerator<Span> {
  const ranges = readManifest(spool, job, { sections });
  let at = -1;
  try {
    for await (const { shard, ...reports } of failures) {
      const named = wanted === undefined ? reportsIn(reports) : reportsIn(reports).filter(wanted);
      const isNamed = wanted === undefined ? reports.more === 0 : true;
      if (isNamed && named.every(({ length }) => length > 0)) {
        yield* named;
        continue;
      }
      let range = await ranges.next();
      for (at += 1; at < shard && range.done !== true; at += 1) range = await ranges.next();
      if (range.done === true) throw new RangeError(`the manifest of ${job} has no shard ${shard}`);
      const { offset, length, firstLine, duplicates } = range.value.range;
      const replaced = new Set(duplicates.map(([line]) => line));
      const chosen = wanted && new Set(named.map(({ line }) => line));
      const bytes = spool.readSource(source, offset, length);
      for await (const group of readLines(bytes, { offset, firstLine }))
        yield* group.filter(({ number }) => !replaced.has(number) && (chosen?.has(number) ?? true));
    }
  } finally {
    await ranges.return(undefined);
  }
}

async function* linesOf(
  near: readonly Span[],
  spool: Pick<SpooledJob, 'readSource'>,
  source: SourceRef,
  copied: CopiedSections | undefined,
): AsyncGenerator<Uint8Array> {
  const [first] = near;
  if (first === undefined) return;
  const end = Math.max(...near.map(({ offset, length }) => offset + length));
  const parts = await Array.fromAsync(spool.readSource(source, first.offset, end - first.offset));
  const stretch = Buffer.concat(parts);
  for (const { offset, length } of near) {
    const start = offset - first.offset;
    const line = stretch.subarray(start, start + length);
    copied?.add(offset, line.length + 1);
    yield line;
    yield Buffer.from('\n');
  }
}
