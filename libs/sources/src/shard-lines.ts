import type { Document, DocumentReport, Shard, Tombstone } from '@embedmill/jobs';
import { readDocumentLine, reportOf } from './document-line.ts';
import { readLines, type Line } from './lines.ts';
import type { Spool } from './spool.ts';

/** A parsed line of a shard; `report` is its entry in the job's failures or warnings. */
export type ShardLine =
  | { kind: 'document'; line: Line; document: Document }
  | { kind: 'tombstone'; line: Line; tombstone: Tombstone }
  | { kind: 'invalid'; report: DocumentReport }
  | { kind: 'duplicate'; report: DocumentReport };

/** The properties of a shard that determine how its lines are read. */
export type ReadShard = Pick<
  Shard,
  'source' | 'range' | 'collection' | 'tenant' | 'mode' | 'sourceName' | 'sequenced' | 'metadataBytes'
>;

/** A shard's lines, in groups as they are read. Errors: those of `Spool.readSource`. */
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

/** The report on a line whose document is repeated elsewhere. */
export function duplicateMessage(winner: string): string {
  return `${winner} has the same id and takes precedence; this line had no effect`;
}
