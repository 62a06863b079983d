import type { CollectionName, DocumentChange, JobId, Shard, ShardResult } from '@embedmill/jobs';
import type { Spool } from '@embedmill/sources';
import type { DocumentKey, VectorStore } from '@embedmill/vector-store';
import type { ShardModels } from './draft-vectors.ts';
import { ShardReading } from './shard-reading.ts';

/**
 * A shard of a dry run: it determines by fingerprints what storing its documents would change, as counts and as a part of
 * the job's output. Nothing is stored and no model runs, so documents that only a model refuses count as stored.
 */
export async function compareShard(
  shard: Shard,
  { spool, store, models }: { spool: Spool; store: VectorStore; models: ShardModels },
): Promise<{ reading: ShardReading; result: ShardResult }> {
  const name = shard.collection.name as CollectionName;
  const reading = await ShardReading.read(spool, shard, models.own.revision);
  const changes: DocumentChange[] = [];
  const add = (change: DocumentChange['change'], { tenant, id }: DocumentKey): void => {
    changes.push({ change, id, tenant });
  };
  const known = await store.findDocuments(
    name,
    reading.pending.map(({ document }) => document),
  );
  const { wanted, unchanged, contested, superseded } = reading.sort(known);
  for (const { document, storedChunks } of wanted) {
    const isStored = storedChunks > 0;
    reading.store(0);
    if (!isStored) reading.added += 1;
    add(isStored ? 'changed' : 'added', document);
  }
  for (let n = 0; n < unchanged.length + contested.length; n += 1) reading.skip();
  for (let n = 0; n < superseded.length; n += 1) reading.supersede();
  const there = await store.findDocuments(name, reading.tombstones);
  for (const [n, tombstone] of reading.tombstones.entries()) {
    const found = there[n];
    if (found !== undefined && found.decided > shard.sequence) {
      reading.supersede();
      continue;
    }
    reading.delete();
    if (found?.state === 'stored') add('deleted', tombstone);
  }
  await spool.writePart(shard.job as JobId, shard.index, linesOf(changes));
  return { reading, result: await reading.settle(spool) };
}

async function* linesOf(changes: readonly DocumentChange[]): AsyncGenerator<Uint8Array> {
  yield Buffer.from(changes.map((change) => `${JSON.stringify(change)}\n`).join(''));
}
