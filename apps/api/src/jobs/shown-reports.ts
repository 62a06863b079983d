import type { JobId, ReportKind } from '@embedmill/jobs';
import { readFileLines, reportsByFile } from '@embedmill/sources';
import type { ApiParts } from '../parts.ts';

/**
 * The reports about a job's documents, as NDJSON in whole lines. For a job of many files, lines are numbered within
 * each file.
 */
export async function shownReports(
  spool: ApiParts['spool'],
  job: JobId,
  kind: ReportKind,
): Promise<AsyncIterable<Uint8Array>> {
  const files = await readFileLines(spool, job);
  const reports = spool.readReports(job, kind);
  return files === undefined ? reports : reportsByFile(reports, files);
}
