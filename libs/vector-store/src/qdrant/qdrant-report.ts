import { LEAST_BINARY, type Collection } from '@embedmill/jobs';
import type { Schemas } from '@qdrant/js-client-rest';
import type { StoreReport } from '../store-report.ts';
import { forbidsExact, isIndexed } from './qdrant-collection.ts';
import type { QdrantConnection } from './qdrant-connection.ts';
import { loadMarks } from './qdrant-loads.ts';

export async function reportOn(
  connection: QdrantConnection,
  collections: readonly Collection[],
): Promise<StoreReport> {
  const version = await connection.version();
  const remarks: string[] = [];
  for (const collection of collections) {
    const info = await connection.info(collection.name, 'prompt');
    if (info !== undefined) remarks.push(...remarksOn(collection, info));
  }
  return { version, collections: collections.length, remarks };
}

/** The problems of a collection. */
function remarksOn(collection: Collection, info: Schemas['CollectionInfo']): string[] {
  const { status, optimizer_status: optimizers, config } = info;
  const { name, profile, dims } = collection;
  const remarks: string[] = [];
  if (status === 'red' || optimizers !== 'ok') {
    const error = optimizers === 'ok' ? 'see its log' : optimizers.error;
    remarks.push(`the collection "${name}" is ${status}: ${error}`);
  }
  const loads = loadMarks(info);
  const looksAtAll = 'searches compare every vector';
  if (loads.length > 0) {
    const jobs = loads.map(({ job }) => job).join(', ');
    remarks.push(
      `the index of the collection "${name}" has been deferred for a load since ${loads[0]?.since} (${jobs}); until it ends, ${looksAtAll}`,
    );
  } else if (!isIndexed(config.hnsw_config)) {
    remarks.push(
      `the collection "${name}" has no index (m and payload_m of its hnsw_config are 0), so ${looksAtAll}`,
    );
  }
  if (forbidsExact(info))
    remarks.push(
      `the collection "${name}" allows no exact counts (strict mode), so its counts are estimates`,
    );
  const inMemory = Object.entries(config.params.vectors ?? {}).flatMap(([vector, params]) =>
    (params as Schemas['VectorParams']).on_disk === true ? [] : [vector],
  );
  if (profile.storage !== 'float32' && inMemory.length > 0) {
    remarks.push(
      `the collection "${name}" is ${profile.storage}, but its original vectors (${inMemory.join(', ')}) are also in memory: ` +
        `set on_disk for them (docs/backends.md, Qdrant)`,
    );
  }
  if (isTooFine(collection)) {
    remarks.push(
      `the collection "${name}" is binary with ${dims} numbers per vector: below ${LEAST_BINARY}, searches miss some of the nearest neighbours`,
    );
  }
  return remarks;
}

/** Whether binary storage noticeably reduces recall. */
function isTooFine({ profile, dims }: Collection): boolean {
  return profile.storage === 'binary' && dims < LEAST_BINARY;
}
