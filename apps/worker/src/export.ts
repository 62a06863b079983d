import {
  EmbedmillError,
  joinedStructure,
  joinedText,
  ownStructure,
  type CollectionName,
  type JobId,
  type Shard,
  type ShardResult,
} from '@embedmill/jobs';
import { shapeOf, writePart, type OutputRow } from '@embedmill/outputs';
import type { Spool } from '@embedmill/sources';
import type { DocumentKey, StoredPoint, VectorStore } from '@embedmill/vector-store';
import { keyOf } from './document-key.ts';
import type { ShardModels } from './draft-vectors.ts';
import { ShardReading } from './shard-reading.ts';

/** The most documents, and chunks, whose points are in memory at the same time; one document may exceed it. */
const DOCUMENTS_AT_ONCE = 16;
const CHUNKS_AT_ONCE = 512;
/** Documents per look-up. */
const LOOKED_UP_AT_ONCE = 256;

/**
 * A shard of an export: the currently stored documents become one part of the job's file. Processed again, it writes the
 * same part again. A document that was deleted in the meantime is in no part and counts as skipped.
 */
export async function exportShard(
  shard: Shard,
  { spool, store, models }: { spool: Spool; store: VectorStore; models: ShardModels },
): Promise<{ reading: ShardReading; result: ShardResult }> {
  const { sink, collection } = shard;
  if (sink === undefined) throw new EmbedmillError('invalid_request', 'the export has no output format');
  const reading = await ShardReading.read(spool, shard, models.own.revision);
  const part = writePart(sink.format, shapeOf(collection, sink), rows());
  await spool.writePart(shard.job as JobId, shard.index, part);
  return { reading, result: await reading.settle(spool) };

  async function* rows(): AsyncGenerator<OutputRow[]> {
    const name = collection.name as CollectionName;
    for await (const keys of fewAtOnce(name)) {
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

  /** The documents in groups whose points take some megabytes, whatever the documents' sizes. */
  async function* fewAtOnce(name: CollectionName): AsyncGenerator<DocumentKey[]> {
    for (let at = 0; at < reading.pending.length; at += LOOKED_UP_AT_ONCE) {
      const keys = reading.pending.slice(at, at + LOOKED_UP_AT_ONCE).map(({ document }) => document);
      const found = await store.findDocuments(name, keys);
      let some: DocumentKey[] = [];
      let chunks = 0;
      for (const [n, key] of keys.entries()) {
        const known = found[n];
        const count = known?.state === 'stored' ? known.chunkCount : 0;
        const isFull = some.length >= DOCUMENTS_AT_ONCE || chunks + count > CHUNKS_AT_ONCE;
        if (some.length > 0 && isFull) {
          yield some;
          some = [];
          chunks = 0;
        }
        some.push(key);
        chunks += count;
      }
      yield some;
    }
  }

  function pointRow({ dense, other, sparse = {}, payload }: StoredPoint): OutputRow {
    const { chunk_index: chunk, chunk_count: chunks, start, end, timestamp } = payload;
    const second = collection.other === undefined ? undefined : { [collection.other.name]: other };
    const vectors = { [collection.vector]: dense, ...second };
    const structure = sink?.structure === true ? ownStructure(payload.structure, payload) : undefined;
    return {
      ...rowOf(payload),
      structure,
      point: { chunk, chunks, start, end, timestamp, dense: vectors, sparse },
    };
  }
}

/** One row, or none if there is no point. */
function documentRows(points: readonly StoredPoint[]): OutputRow[] {
  const [first] = points;
  if (first === undefined) return [];
  const payloads = points.map(({ payload }) => payload);
  return [{ ...rowOf(first.payload), text: joinedText(payloads), structure: joinedStructure(payloads) }];
}

function rowOf(payload: StoredPoint['payload']): OutputRow {
  const { document_id: id, tenant, text, title, image, source = null, metadata } = payload;
  return { id, tenant, text, title, image, source, metadata };
}
