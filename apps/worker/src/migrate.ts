import {
  asEmbedmillError,
  EmbedmillError,
  spokenText,
  type CollectionName,
  type Shard,
  type ShardResult,
} from '@embedmill/jobs';
import { shortened } from '@embedmill/retrieval';
import type { Spool } from '@embedmill/sources';
import type { VectorStore } from '@embedmill/vector-store';
import { keyOf } from './document-key.ts';
import type { ShardModels } from './draft-vectors.ts';
import { ShardReading } from './shard-reading.ts';
import { saysNothing } from './unknown-text.ts';
import { denseHash } from './vector-hashes.ts';

/**
 * A shard of a migration: the currently stored points of its documents get the vector of `collection.other`. Points that
 * already have it were written by jobs that know of the migration and are left unchanged. Errors: `migration_state` if
 * the migration has ended or was cut over since the job was submitted.
 */
export async function migrateShard(
  shard: Shard,
  { spool, store, models }: { spool: Spool; store: VectorStore; models: ShardModels },
): Promise<{ reading: ShardReading; result: ShardResult }> {
  const name = shard.collection.name as CollectionName;
  const { other } = shard.collection;
  const now = (await store.getCollection(name))?.other;
  if (other === undefined || now?.name !== other.name || now.model !== other.model) {
    const message = `the second vector of "${name}" no longer belongs to ${other?.model ?? 'another model'}: the migration has ended or was cut over`;
    throw new EmbedmillError('migration_state', message);
  }
  const reading = await ShardReading.read(spool, shard, models.own.revision);
  const documents = reading.pending.map(({ document }) => document);
  const points = await store.getPoints(name, documents);
  const missing = points.filter((point) => point.other === undefined);
  const texts = missing.map(({ payload }) => spokenText(payload));
  const model = await models.get(other.model);
  const read = await model.readDocuments(texts);
  const outcomes = await model.embedRead(read);

  const failed = new Map<string, EmbedmillError>();
  const unknown = new Set<string>();
  const vectors = missing.flatMap(({ id, payload }, n) => {
    const outcome = outcomes[n];
    if (outcome?.ok === true && saysNothing(outcome.vector))
      unknown.add(keyOf(payload.tenant, payload.document_id));
    if (outcome?.ok === true) {
      const { ids = new Int32Array() } = read[n] ?? {};
      const hash = denseHash({ ids, text: texts[n] ?? '' }, other, model.revision);
      return { id, sequence: payload.sequence, values: shortened(outcome.vector, other.dims), hash };
    }
    const error = outcome?.error ?? asEmbedmillError(new RangeError('there is no outcome'));
    failed.set(keyOf(payload.tenant, payload.document_id), error);
    return [];
  });
  await store.addVectors(name, vectors, other);

  const counts = Map.groupBy(points, ({ payload }) => keyOf(payload.tenant, payload.document_id));
  const added = new Set(missing.map(({ payload }) => keyOf(payload.tenant, payload.document_id)));
  for (const pending of reading.pending) {
    const key = keyOf(pending.document.tenant, pending.document.id);
    const error = failed.get(key);
    if (error === undefined && unknown.has(key)) {
      const message = `text: ${other.model} knows no token of it or of one of its chunks, whose vector is all zeros`;
      reading.warn(pending, new EmbedmillError('unknown_text', message));
    }
    if (error !== undefined) reading.fail(pending, error, 'infer');
    else if (added.has(key)) reading.store(counts.get(key)?.length ?? 0);
    else reading.skip();
  }
  return { reading, result: await reading.settle(spool) };
}
