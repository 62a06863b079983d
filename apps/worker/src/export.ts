import {
  EmbedmillError,
  joinedText,
  type CollectionName,
  type JobId,
  type Shard,
  type ShardResult,
} from '@embedmill/jobs';
import { shapeOf, writePart, type OutputRow } from '@embedmill/outputs';
import type { Spool } from '@embedmill/sources';
import type { StoredPoint, VectorStore } from '@embedmill/vector-store';
import { keyOf } from './document-key.ts';
import type { ShardModels } from './document-vectors.ts';
import { ShardReading } from './shard-reading.ts';

/** Documents whose points are in memory at the same time. */
const DOCUMENTS_AT_ONCE = 16;

/**
 * A shard of an export: the documents, as the store has them now, become one part of the job's file. Walked again, it
 * writes the same part again. A document that was deleted meanwhile is in no part, and counts as skipped.
 */
export async function exportShard(
  shard: Shard,
  { spool, store, models }: { spool: Spool; store: VectorStore; models: ShardModels },
): Promise<{ reading: ShardReading; result: ShardResult }> {
  const { sink, collection } = shard;
  if (sink === undefined) throw new EmbedmillError('invalid_request', 'the export names no format');
  const reading = await ShardReading.read(spool, shard, models.own.revision);
  const part = writePart(sink.format, shapeOf(collection, sink), rows());
  await spool.writePart(shard.job as JobId, shard.index, part);
  return { reading, result: await reading.settle(spool) };

  async function* rows(): AsyncGenerator<OutputRow[]> {
    const name = collection.name as CollectionName;
    for (let at = 0; at < reading.pending.length; at += DOCUMENTS_AT_ONCE) {
      const keys = reading.pending.slice(at, at + DOCUMENTS_AT_ONCE).map(({ document }) => document);
      const found = Map.groupBy(await store.getPoints(name, keys), ({ payload }) =>
        keyOf(payload.tenant, payload.document_id),
      );
      const batch = keys.flatMap(({ tenant, id }) => {
        const points = found.get(keyOf(tenant, id)) ?? [];
        if (points.length === 0) reading.skip();
        else reading.store(points.length);
        return sink?.vectors === true ? points.map((point) => pointRow(point)) : documentRows(points);
      });
      yield batch;
    }
  }

  function pointRow({ dense, other, sparse = {}, payload }: StoredPoint): OutputRow {
    const { chunk_index: chunk, chunk_count: chunks, start, end, timestamp } = payload;
    const second = collection.other === undefined ? undefined : { [collection.other.name]: other };
    const vectors = { [collection.vector]: dense, ...second };
    return { ...rowOf(payload), point: { chunk, chunks, start, end, timestamp, dense: vectors, sparse } };
  }
}

/** One row, or none where there is no point. */
function documentRows(points: readonly StoredPoint[]): OutputRow[] {
  const [first] = points;
  return first === undefined
    ? []
    : [{ ...rowOf(first.payload), text: joinedText(points.map(({ payload }) => payload)) }];
}

function rowOf(payload: StoredPoint['payload']): OutputRow {
  const { document_id: id, tenant, text, title, image, source = null, metadata } = payload;
  return { id, tenant, text, title, image, source, metadata };
}
