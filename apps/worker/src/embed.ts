import {
  asEmbedmillError,
  chunkStructure,
  EmbedmillError,
  ownStructure,
  type JobId,
  type Shard,
  type ShardResult,
} from '@embedmill/jobs';
import type { Stage } from '@embedmill/metrics';
import { shapeOf, writePart, type OutputRow } from '@embedmill/outputs';
import type { Spool } from '@embedmill/sources';
import type { PictureSources } from './document-pictures.ts';
import { embedDocuments } from './document-vectors.ts';
import type { ShardModels } from './draft-vectors.ts';
import type { EmbeddedChunk } from './embedded-chunk.ts';
import { pictureReference } from './document-pictures.ts';
import { ShardReading, type PendingDocument } from './shard-reading.ts';

/** Rows that are written at once; a row group in Parquet. */
const ROWS_AT_ONCE = 512;

/**
 * A shard whose sink is a file: its documents become one part with one row per chunk, in the order of the source.
 * Processed again, it writes the same part again. It does not use the store. Failed documents are in the failures and in
 * no part; a line that deletes its document has no row.
 */
export async function embedShard(
  shard: Shard,
  { spool, models, pictures }: { spool: Spool; models: ShardModels; pictures: PictureSources },
  timed: <T>(stage: Stage, work: () => Promise<T>) => Promise<T>,
): Promise<{ reading: ShardReading; result: ShardResult }> {
  const { sink, collection } = shard;
  if (sink === undefined) throw new EmbedmillError('invalid_request', 'the job has no output format');
  const reading = await timed('read', () => ShardReading.read(spool, shard, models.own.revision));
  for (let n = 0; n < reading.tombstones.length; n += 1) reading.delete();
  const rows = await embedded();
  const part = writePart(sink.format, shapeOf(collection, sink), groupsOf(rows));
  await timed('upsert', () => spool.writePart(shard.job as JobId, shard.index, part));
  return { reading, result: await timed('settle', () => reading.settle(spool)) };

  async function embedded(): Promise<OutputRow[]> {
    const { pending } = reading;
    const documents = pending.map(({ document }) => document);
    const unknown = documents.map(() => undefined);
    const outcomes = await embedDocuments(shard, documents, unknown, models, pictures, timed);
    return pending.flatMap((one, n) => {
      const outcome = outcomes[n];
      if (outcome?.ok !== true) {
        const error = outcome?.error ?? asEmbedmillError(new RangeError('there is no outcome'));
        reading.fail(one, error, 'infer');
        return [];
      }
      for (const warning of outcome.warnings) reading.warn(one, warning);
      for (const { tokens } of outcome.chunks) reading.tokens += tokens;
      reading.store(outcome.chunks.length);
      return rowsOf(one, outcome.chunks, shard);
    });
  }
}

/** A document’s rows, as in an export of its points. */
function rowsOf(
  { document }: PendingDocument,
  chunks: EmbeddedChunk[],
  { collection, sink }: Shard,
): OutputRow[] {
  const { id, tenant, text, title = null, metadata, source = null } = document;
  const image = pictureReference(document);
  const built = sink?.structure === true ? document.structure : undefined;
  return chunks.map(({ start, end, headings, timestamp, dense, sparse }, chunk) => {
    const place = { chunk, chunks: chunks.length, start, end, timestamp };
    const point = { ...place, dense: { [collection.vector]: dense }, sparse };
    const structure = built && ownStructure(chunkStructure(built, { start, end, headings }), { start, end });
    return { id, tenant, text: text.slice(start, end), title, image, source, metadata, structure, point };
  });
}

async function* groupsOf(rows: readonly OutputRow[]): AsyncGenerator<readonly OutputRow[]> {
  for (let at = 0; at < rows.length; at += ROWS_AT_ONCE) yield rows.slice(at, at + ROWS_AT_ONCE);
}
