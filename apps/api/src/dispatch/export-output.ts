import { EmbedmillError, type StoredSource } from '@embedmill/jobs';
import { joinParts, shapeOf, type Part } from '@embedmill/outputs';
import type { IngestHandle } from '@embedmill/queue';
import type { Spool } from '@embedmill/sources';

/**
 * Joins what the shards of a job wrote to its file, once all of them are counted. Killed in between, the next dispatcher
 * joins them again: parts go only when the record says where the file is. Called by the dispatcher.
 *
 * Errors: `export_incomplete` where documents could not be read, for a file that lacks some is worse than none.
 */
export async function joinOutput(handle: IngestHandle, { spool }: { spool: Spool }): Promise<void> {
  const { id, record } = handle;
  const { sink, collection, purpose, progress } = record;
  if (sink === undefined || record.output !== undefined || purpose === 'batch') return;
  if (purpose === 'export' && progress.failed > 0) {
    const message = `${progress.failed} documents could not be read, see the failures; export again`;
    throw new EmbedmillError('export_incomplete', message);
  }
  const joined = joinParts(sink.format, shapeOf(collection, sink), partsOf());
  handle.record = { ...record, output: await spool.writeOutput(id, joined, sink.to) };
  await handle.save();

  async function* partsOf(): AsyncGenerator<Part> {
    for await (const { source } of spool.parts(id)) yield partAt(source, spool);
  }
}

/** What a shard wrote, to be read in pieces. */
export function partAt(source: StoredSource, spool: Pick<Spool, 'readSource'>): Part {
  const { size } = source;
  return { size, read: (offset, length = size - offset) => spool.readSource(source, offset, length) };
}
