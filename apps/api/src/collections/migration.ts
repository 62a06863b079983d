import { EmbedmillError, type Collection, type DenseVector, type Job } from '@embedmill/jobs';
import { dimsOf } from '@embedmill/models';
import { collectionModels, requireCollection } from './collection.ts';
import { requireModel } from '../models/model.ts';
import type { ApiParts } from '../parts.ts';
import { MIGRATION_SOURCE, type Submission } from '../ingest/submission.ts';

type Parts = Pick<ApiParts, 'store' | 'models' | 'queue'>;

/**
 * Migrates a collection to another dense model: begin (adds a second named vector, which new documents get from now on and a
 * job adds to stored ones) → exchange (searches use the second vector; repeated, the first) → end (drops the vector that
 * searches do not use). Only the collection's definition changes; nothing is copied.
 *
 * The store refuses the exchange and the end while points lack the vector that searches would use (`migration_state`). If a
 * migration is begun again, it adds only what is missing.
 */
export async function beginMigration(
  name: string,
  { model, dims }: { model: string; dims?: number | undefined },
  { store, models, queue }: Parts,
  submission: Submission,
): Promise<{ collection: Collection; job: Job }> {
  const collection = await requireCollection(store, name);
  const found = await requireModel(models, model, 'model', 'dense');
  const own = await requireModel(models, collection.profile.model, 'model', 'dense');
  const pictured = [own, found].find(({ images }) => images);
  if (pictured !== undefined) {
    // A point's picture is not stored, so another model could only read its words.
    const message = `${pictured.name} reads images, which are not stored; create another collection and submit the documents to it`;
    throw new EmbedmillError('invalid_profile', message, { details: [{ path: 'model', message }] });
  }
  const size = dimsOf(found, dims, 'dims');
  if (collection.profile.sparse.bm42 !== undefined && !found.attentions) {
    const message = `${name} has BM42 vectors, but ${model} does not provide the attention that they need`;
    throw new EmbedmillError('invalid_profile', message, { details: [{ path: 'model', message }] });
  }
  if (collection.profile.lateInteraction !== undefined) {
    const message = `${name} stores token vectors of ${own.name}, which cannot be compared with those of ${model}; create another collection and submit the documents to it`;
    throw new EmbedmillError('invalid_profile', message, { details: [{ path: 'model', message }] });
  }
  const { other, twin } = collection;
  if (twin !== undefined) {
    const message = `${name} is being copied to or from ${twin.name}; end that migration first`;
    throw new EmbedmillError('migration_state', message);
  }
  if (other !== undefined && (other.model !== model || other.dims !== size)) {
    const message = `${name} already has a second vector, of ${other.model}; end that migration first`;
    throw new EmbedmillError('migration_state', message);
  }
  if (model === collection.profile.model && size === collection.dims) {
    throw new EmbedmillError('migration_state', `${name} already has the vectors of ${model}`);
  }
  const migrating = { ...collection, other: other ?? { name: nextName(collection), model, dims: size } };
  if (other === undefined) await store.updateCollection(migrating, collection);
  for (const needed of collectionModels(migrating)) await queue.announceModel(needed);
  const { job } = await submission.migrate(migrating);
  return { collection: migrating, job };
}

/** Swaps the vector that searches use with the other one. */
export async function exchangeVectors(name: string, { store, queue }: Parts): Promise<Collection> {
  const collection = await requireCollection(store, name);
  const other = requireOther(collection);
  await requireNoJob(name, queue);
  const { vector, dims, profile } = collection;
  const exchanged: Collection = {
    ...collection,
    vector: other.name,
    dims: other.dims,
    profile: { ...profile, model: other.model, dims: undefined },
    other: { name: vector, model: profile.model, dims },
  };
  await store.updateCollection(exchanged, collection);
  return exchanged;
}

/** Drops the vector that searches do not use. */
export async function endMigration(name: string, { store, queue }: Parts): Promise<Collection> {
  const collection = await requireCollection(store, name);
  requireOther(collection);
  await requireNoJob(name, queue);
  const ended = { ...collection, other: undefined };
  await store.updateCollection(ended, collection);
  return ended;
}

/** A running job would find its vector removed or replaced. */
async function requireNoJob(name: string, queue: Parts['queue']): Promise<void> {
  const running = (await queue.unfinishedJobs(name)).find(({ source }) => source === MIGRATION_SOURCE);
  if (running === undefined) return;
  const message = `job ${running.id} still adds vectors to ${name}; wait for it, or cancel it`;
  throw new EmbedmillError('migration_state', message, { retryAfter: 5 });
}

function requireOther({ name, other }: Collection): DenseVector {
  if (other !== undefined) return other;
  throw new EmbedmillError('migration_state', `${name} has only one dense vector; begin a migration first`);
}

function nextName({ vector }: Collection): DenseVector['name'] {
  return vector === 'dense' ? 'dense_2' : 'dense';
}
