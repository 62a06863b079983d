import {
  type DocumentReport,
  type EmbedmillError,
  type JobId,
  type Shard,
  type ShardResult,
} from '@embedmill/jobs';
import { readDocumentLine, reportOf } from './document-line.ts';
import { readLines } from './lines.ts';
import { readSource } from './source-bytes.ts';
import type { Spool } from './spool.ts';

/**
 * Settles a shard that cannot be worked on: each of its documents goes to the job's failures with `error`, or
 * with what is wrong with the document itself. Where even the source cannot be read, documents are named by
 * their lines.
 */
export async function failShard(spool: Spool, shard: Shard, error: EmbedmillError): Promise<ShardResult> {
  const { range } = shard;
  const superseded = new Map(range.superseded);
  let failures: DocumentReport[] = [];
  const warnings: DocumentReport[] = [];
  try {
    for await (const group of readLines(readSource(shard.source, range.offset, range.length), range)) {
      for (const line of group) {
        const read = readDocumentLine(line, shard.collection.profile);
        const by = superseded.get(line.number);
        if (!read.ok) failures.push(read.report);
        else if (by !== undefined) warnings.push(supersededReport(read.line, read.document.id, by));
        else failures.push(reportOf(line, read.document.id, error));
      }
    }
  } catch {
    warnings.length = 0;
    failures = Array.from({ length: range.documents }, (_, n) =>
      reportOf({ number: range.firstLine + n, offset: range.offset, length: 0 }, null, error),
    );
  }
  await spool.writeReports(shard.job as JobId, 'failures', shard.index, failures);
  await spool.writeReports(shard.job as JobId, 'warnings', shard.index, warnings);
  return {
    index: shard.index,
    documents: range.documents,
    stored: 0,
    skipped: 0,
    failed: failures.length,
    duplicates: warnings.length,
    truncated: 0,
    chunks: 0,
    tokens: 0,
  };
}

/** What the warnings say of a document that comes again on a later line. */
export function supersededReport(
  line: { number: number; offset: number; length: number },
  id: string,
  by: number,
): DocumentReport {
  const message = `line ${by} has the same id and wins; this line was not stored`;
  return reportOf(line, id, { code: 'duplicate_id', message });
}
