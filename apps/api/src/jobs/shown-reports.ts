import type { JobId, ReportKind } from '@embedmill/jobs';
import { readFileLines, reportsByFile } from '@embedmill/sources';
import type { ApiParts } from '../parts.ts';

/** What is said of a job's documents, as NDJSON in whole lines; of a job of many files by the lines of each. */
export async function shownReports(
  spool: ApiParts['spool'],
  job: JobId,
  kind: ReportKind,
): Promise<AsyncIterable<Uint8Array>> {
  const files = await readFileLines(spool, job);
  const reports = spool.readReports(job, kind);
  return files === undefined ? reports : reportsByFile(reports, files);
}
