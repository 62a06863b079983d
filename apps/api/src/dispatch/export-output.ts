import { EmbedmillError, type StoredSource } from '@embedmill/jobs';
import { joinParts, shapeOf, type Part } from '@embedmill/outputs';
import type { IngestHandle } from '@embedmill/queue';
import type { Spool } from '@embedmill/sources';

/**
 * Joins the parts that the shards of a job wrote into its file, once all shards are counted. If the dispatcher is killed,
 * the next one joins them again: parts are removed only when the record has the place of the file. Called by the
 * dispatcher.
 *
 * Errors: `export_incomplete` if documents could not be read, because an incomplete file is worse than none.
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

/** The part that a shard wrote, read in pieces. */
export function partAt(source: StoredSource, spool: Pick<Spool, 'readSource'>): Part {
  const { size } = source;
  return { size, read: (offset, length = size - offset) => spool.readSource(source, offset, length) };
}
