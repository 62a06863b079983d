import { z } from 'zod';
import { parseKept, type DocumentReport, type JobId, type MoreReports } from '@embedmill/jobs';
import { jsonLines, valuesOf, type FileFault } from './file-list.ts';
import { fileFaultCodeSchema } from './row-fault.ts';
import { duplicateMessage } from './shard-lines.ts';
import type { Spool } from './spool.ts';

/** The lines of the gathered source that belong to one file. */
export interface FileLines {
  name: string;
  /** From 1. */
  firstLine: number;
  lines: number;
  fault?: FileFault | undefined;
}

export const fileLinesSchema = z.strictObject({
  name: z.string(),
  firstLine: z.int().positive(),
  lines: z.int().nonnegative(),
  fault: z.strictObject({ code: fileFaultCodeSchema, message: z.string() }).optional(),
});

/** A job's files in order of their lines; undefined for a job with one source. */
export async function readFileLines(
  spool: Pick<Spool, 'readFiles'>,
  job: JobId,
): Promise<FileLines[] | undefined> {
  const kept = await spool.readFiles(job);
  if (kept === undefined) return undefined;
  const values = valuesOf(inPieces(kept));
  return Array.fromAsync(values, (value) => parseKept(fileLinesSchema, value));
}

/**
 * Converts reports on the gathered source, and the count of further ones, to reports on its files: each names the file
 * and its line in it.
 */
export async function* reportsByFile(
  reports: AsyncIterable<Uint8Array>,
  files: readonly FileLines[],
): AsyncGenerator<Uint8Array> {
  let some: (DocumentReport | MoreReports)[] = [];
  for await (const value of valuesOf(reports)) {
    const report = value as DocumentReport | MoreReports;
    some.push('more' in report ? report : reportByFile(report, files));
    if (some.length < 100) continue;
    yield* jsonLines(some);
    some = [];
  }
  yield* jsonLines(some);
}

function reportByFile(report: DocumentReport, files: readonly FileLines[]): DocumentReport {
  const place = placeOf(report.line, files);
  if (place === undefined) return report;
  const inFile = { ...report, ...place };
  const winner = report.by === undefined ? undefined : placeOf(report.by, files);
  if (winner === undefined) return inFile;
  const where = winner.file === place.file ? `line ${winner.line}` : `line ${winner.line} of ${winner.file}`;
  return { ...inFile, by: winner.line, message: duplicateMessage(where) };
}

/** The file of a gathered line, and the line's number in that file. */
export function placeOf(
  line: number,
  files: readonly FileLines[],
): { file: string; line: number } | undefined {
  let [low, high] = [0, files.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const one = files[middle];
    if (one !== undefined && one.firstLine + one.lines <= line) low = middle + 1;
    else high = middle;
  }
  const found = files[low];
  return found === undefined ? undefined : { file: found.name, line: line - found.firstLine + 1 };
}

/** Yields regularly, so that a long list does not block the event loop. */
async function* inPieces(bytes: Buffer): AsyncGenerator<Buffer> {
  const size = 1 << 16;
  for (let at = 0; at < bytes.length; at += size) {
    yield bytes.subarray(at, at + size);
    await new Promise(setImmediate);
  }
}
