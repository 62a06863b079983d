import {
  NO_COUNTS,
  type DocumentReport,
  type EmbedmillError,
  type JobId,
  type Shard,
  type ShardResult,
} from '@embedmill/jobs';
import { reportOf } from './document-line.ts';
import { readShardLines } from './shard-lines.ts';
import type { Spool } from './spool.ts';

/**
 * Settles a shard that cannot be processed: each of its documents goes to the job's failures with `error`, or with the
 * document's own fault. If even the source cannot be read, documents are identified by their lines.
 */
export async function failShard(spool: Spool, shard: Shard, error: EmbedmillError): Promise<ShardResult> {
  const { range } = shard;
  let failures: DocumentReport[] = [];
  const warnings: DocumentReport[] = [];
  try {
    for await (const group of readShardLines(spool, shard)) {
      for (const read of group) {
        switch (read.kind) {
          case 'invalid':
            failures.push(read.report);
            break;
          case 'duplicate':
            warnings.push(read.report);
            break;
          case 'document':
            failures.push(reportOf(read.line, read.document.id, error));
            break;
          case 'tombstone':
            failures.push(reportOf(read.line, read.tombstone.id, error));
            break;
        }
      }
    }
  } catch {
    warnings.length = 0;
    failures = Array.from({ length: range.documents }, (_, n) =>
      reportOf({ number: range.firstLine + n, offset: range.offset, length: 0 }, null, error),
    );
  }
  const job = shard.job as JobId;
  // An earlier attempt's reports are about documents that now count as failed.
  if (shard.sink !== undefined || shard.dataset !== undefined) await spool.removePart(job, shard.index);
  const reports = { failures, warnings };
  const reported = await spool.settleReports(job, shard.index, reports, shard.reportRoom);
  return {
    ...NO_COUNTS,
    index: shard.index,
    documents: range.documents,
    failed: failures.length,
    duplicates: warnings.length,
    reported,
  };
}
