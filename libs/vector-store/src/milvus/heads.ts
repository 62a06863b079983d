import type { Collection, JobId, PointId } from '@embedmill/jobs';
import type { MilvusConnection } from './milvus-connection.ts';
import { oneOf } from './milvus-filter.ts';
import { versionsOf, type HeadRow, type Mark, type Versions } from './milvus-writes.ts';
import type { Row } from './point-rows.ts';
import { markTable, vectorTable } from './table-names.ts';

/** A head row, with the job that wrote it. */
export type StoredHead = HeadRow & { jobId: JobId };

/** All versions of the chunks 0 of these documents (given by their ids). */
export async function headRows(
  connection: MilvusConnection,
  collection: Collection,
  documents: PointId[],
): Promise<StoredHead[]> {
  const rows = await connection.rows(vectorTable(collection, collection.vector), {
    filter: `${oneOf('document', documents)} and chunk_index == 0`,
    columns: ['document', 'sequence', 'chunk_count', 'fingerprint', 'job_id'],
  });
  return rows.map((row) => ({
    document: row['document'] as PointId,
    sequence: Number(row['sequence']),
    chunkCount: Number(row['chunk_count']),
    fingerprint: row['fingerprint'] as string,
    jobId: row['job_id'] as JobId,
  }));
}

export async function marksOf(
  connection: MilvusConnection,
  collection: Collection,
  documents: PointId[],
): Promise<Mark[]> {
  const columns = ['document', 'kind', 'sequence', 'written'];
  const filter = oneOf('document', documents);
  const rows = await connection.rows(markTable(collection), { filter, columns });
  return rows.map((row: Row) => ({
    document: row['document'] as PointId,
    kind: row['kind'] as Mark['kind'],
    sequence: Number(row['sequence']),
    written: Number(row['written']),
  }));
}

/** The state that decides each of these documents. */
export async function headsOf(
  connection: MilvusConnection,
  collection: Collection,
  documents: PointId[],
): Promise<Map<PointId, Versions>> {
  const [rows, marks] = await Promise.all([
    headRows(connection, collection, documents),
    marksOf(connection, collection, documents),
  ]);
  return versionsOf(rows, marks);
}
