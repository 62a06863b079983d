import type { Document, DocumentReport, Shard, Tombstone } from '@embedmill/jobs';
import { readDocumentLine, reportOf } from './document-line.ts';
import { readLines, type Line } from './lines.ts';
import type { Spool } from './spool.ts';

/** What a line of a shard turns out to be; `report` is what the job's failures or warnings say of it. */
export type ShardLine =
  | { kind: 'document'; line: Line; document: Document }
  | { kind: 'tombstone'; line: Line; tombstone: Tombstone }
  | { kind: 'invalid'; report: DocumentReport }
  | { kind: 'duplicate'; report: DocumentReport };

/** Of a shard, what its lines are read by. */
export type ReadShard = Pick<
  Shard,
  'source' | 'range' | 'collection' | 'tenant' | 'mode' | 'sourceName' | 'sequenced' | 'metadataBytes'
>;

/** The lines of a shard, in groups as they are read. Errors: those of `Spool.readSource`. */
export async function* readShardLines(
  spool: Pick<Spool, 'readSource'>,
  { source, range, collection, tenant, mode, sourceName, sequenced, metadataBytes }: ReadShard,
): AsyncGenerator<ShardLine[]> {
  const duplicates = new Map(range.duplicates);
  const scope = { tenant, mode, sourceName, sequenced };
  const limits = metadataBytes === undefined ? undefined : { metadataBytes };
  const bytes = spool.readSource(source, range.offset, range.length);
  for await (const group of readLines(bytes, range)) {
    yield group.map((line): ShardLine => {
      const read = readDocumentLine(line, collection.profile, scope, limits);
      if (read.kind === 'invalid') return { kind: 'invalid', report: read.report };
      const by = duplicates.get(line.number);
      if (by === undefined) return read;
      const { id } = read.kind === 'document' ? read.document : read.tombstone;
      const duplicate = { code: 'duplicate_id', message: duplicateMessage(`line ${by}`) } as const;
      return { kind: 'duplicate', report: { ...reportOf(line, id, duplicate), by } };
    });
  }
}

/** What is said of a line whose document comes again at another place. */
export function duplicateMessage(winner: string): string {
  return `${winner} has the same id and takes precedence; this line had no effect`;
}
