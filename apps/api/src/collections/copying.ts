import { isDeepStrictEqual } from 'node:util';
import {
  EmbedmillError,
  joinedText,
  spokenText,
  type Collection,
  type CollectionName,
  type Job,
  type JobId,
  type Profile,
} from '@embedmill/jobs';
import type { IngestHandle } from '@embedmill/queue';
import type { VectorStore } from '@embedmill/vector-store';
import { averageLengthOfTexts } from '../dispatch/average-length.ts';
import { createCollection, requireCollection } from './collection.ts';
import { requireModel } from '../models/model.ts';
import type { ApiParts } from '../parts.ts';
import { COPIED, type Submission } from '../ingest/submission.ts';

type Parts = Pick<ApiParts, 'store' | 'models' | 'queue' | 'threads'>;

/** The parts of a profile that a copy may change; another model needs a migration of vectors. */
export type CopyChanges = Partial<Pick<Profile, 'chunking' | 'sparse' | 'storage' | 'lateInteraction'>>;

/**
 * Migrates a collection to other chunks or sparse schemes: begin (creates a second collection, its twin; from now on
 * documents are written to both and deleted from both, and a job copies stored documents) → exchange (the aliases point to
 * the other collection; repeated, back to the first) → end (the twin is deleted).
 *
 * The store refuses writers that do not know of the twin, and they read the definition again. So whatever the copy does not
 * find in the first collection was written to both. Sequences decide between a copied document and a later submission.
 */
export async function beginCopy(
  name: string,
  { into, changes }: { into: string; changes: CopyChanges },
  parts: Parts,
  submission: Submission,
): Promise<{ collection: Collection; job: Job }> {
  const { store, models } = parts;
  const origin = await requireCollection(store, name);
  const model = await requireModel(models, origin.profile.model, 'model', 'dense');
  if (model.images) {
    const message = `${model.name} reads images, which are not stored; create another collection and submit the documents to it`;
    throw new EmbedmillError('invalid_profile', message, { details: [{ path: 'into', message }] });
  }
  if (origin.other !== undefined) {
    const message = `${origin.name} is being migrated to the vectors of ${origin.other.model}; end that migration first`;
    throw new EmbedmillError('migration_state', message);
  }
  if (origin.twin !== undefined && origin.twin.name !== into) {
    const message = `${origin.name} already has a copy, ${origin.twin.name}; end that migration first`;
    throw new EmbedmillError('migration_state', message);
  }
  const profile = { ...origin.profile, ...changes };
  const { collection, created } = await createCollection(parts, into, profile, {
    twin: { name: origin.name, filled: false },
    averageLength: await averageLengthIn(profile, origin, parts),
  });
  if (!created && collection.twin?.name !== origin.name) {
    const message = `the collection ${into} already exists and is not a copy of ${origin.name}; choose another name`;
    throw new EmbedmillError('collection_exists', message);
  }
  if (origin.twin === undefined) {
    const twinned = { ...origin, twin: { name: into, filled: true } };
    await store.updateCollection(twinned, origin);
  }
  const { job } = await submission.copy(collection);
  return { collection, job };
}

/** Points the collection's aliases to its twin. */
export async function exchangeAliases(
  collection: Collection,
  { store }: Pick<Parts, 'store'>,
): Promise<Collection> {
  const twin = await requireTwin(collection, store);
  if (twin.twin?.filled === false) {
    const message = `${twin.name} does not have all documents of ${collection.name} yet: wait for the job that copies them; if documents failed or the job was cancelled, begin again with the same name and profile`;
    throw new EmbedmillError('migration_state', message, { retryAfter: 5 });
  }
  const aliases = (await store.listAliases()).filter((alias) => alias.collection === collection.name);
  if (aliases.length === 0) {
    const message = `${collection.name} has no alias, so searches that name the collection itself cannot be redirected to ${twin.name}; let clients use an alias ("embedmill aliases set NAME ${collection.name}") or the new name`;
    throw new EmbedmillError('migration_state', message);
  }
  for (const alias of aliases) await store.moveAlias(alias.name, twin.name as CollectionName);
  return twin;
}

/** Deletes the collection's twin. Errors: `migration_state` if something still depends on it. */
export async function endCopy(
  collection: Collection,
  { store, queue }: Pick<Parts, 'store' | 'queue'>,
): Promise<Collection> {
  const twin = await requireTwin(collection, store);
  const refuse = (why: string): never => {
    throw new EmbedmillError('migration_state', `${twin.name} would be deleted, but ${why}`, {
      retryAfter: 5,
    });
  };
  const alias = (await store.listAliases()).find((one) => one.collection === twin.name);
  if (alias !== undefined)
    refuse(`the alias ${alias.name} points to it; name the collection that should remain`);
  if (collection.twin?.filled === false)
    refuse(
      `${collection.name} does not have all of its documents; to discard the copy, end the migration of ${twin.name}`,
    );
  const open = await queue.unfinishedJobs(twin.name);
  const running = open.find(({ source }) => source !== COPIED);
  if (running !== undefined) refuse(`its job ${running.id} is still running; wait for it, or cancel it`);
  for (const { id } of open) await queue.cancel(id as JobId);
  const ended = { ...collection, twin: undefined };
  await store.updateCollection(ended, collection);
  await store.deleteCollection(twin.name as CollectionName);
  return ended;
}

/** A copy is complete once a job has processed all documents and none failed. Called by the dispatcher. */
export async function markFilled({ record }: IngestHandle, { store }: { store: VectorStore }): Promise<void> {
  const { purpose, source, progress, collection } = record;
  if (purpose !== 'copy' || source.kind !== 'collection' || progress.failed > 0) return;
  const now = await store.getCollection(collection.name as CollectionName);
  if (now?.twin === undefined || now.createdAt !== collection.createdAt) return;
  await store.updateCollection({ ...now, twin: { ...now.twin, filled: true } }, now);
}

async function requireTwin({ name, twin }: Collection, store: VectorStore): Promise<Collection> {
  const found = twin && (await store.getCollection(twin.name as CollectionName));
  if (found?.twin?.name === name) return found;
  throw new EmbedmillError('migration_state', `${name} has no copy; begin one first`);
}

/** The sample of documents for the average length of a copy's chunks. */
const SAMPLED = 200;

/** Measured before the first document is written, because it determines the weights of all. */
async function averageLengthIn(
  profile: Profile,
  origin: Collection,
  { store, models, threads }: Parts,
): Promise<number | undefined> {
  const { bm25 } = profile.sparse;
  if (bm25 === undefined || bm25.averageLength !== undefined) return undefined;
  const own = origin.profile;
  if (isDeepStrictEqual([own.chunking, own.sparse.bm25], [profile.chunking, bm25]))
    return origin.averageLength;
  const name = origin.name as CollectionName;
  const points = await store.scanPoints(name, { limit: SAMPLED });
  const keys = points.map(({ payload: { tenant, document_id: id } }) => ({ tenant, id }));
  const documents = Map.groupBy(
    await store.getPoints(name, [...new Map(keys.map((key) => [JSON.stringify(key), key])).values()]),
    ({ payload: { tenant, document_id: id } }) => JSON.stringify({ tenant, id }),
  );
  const texts = [...documents.values()].map((chunks) => {
    const [first] = chunks;
    const text = joinedText(chunks.map(({ payload }) => payload));
    return spokenText({ title: first?.payload.title, text });
  });
  return averageLengthOfTexts(texts, profile, { models, threads });
}

/** Detaches a collection whose twin was deleted. */
export async function leaveTwin(
  store: VectorStore,
  deleted: string,
  twin: Collection['twin'],
): Promise<void> {
  const left = twin && (await store.getCollection(twin.name as CollectionName));
  if (left?.twin?.name === deleted) await store.updateCollection({ ...left, twin: undefined }, left);
}
