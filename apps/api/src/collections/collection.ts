import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import {
  ANALYSIS_VERSION,
  collectionNameSchema,
  collectionSchema,
  EmbedmillError,
  NO_COLLECTION,
  profileAsCreated,
  profileSchema,
  type Collection,
  type CollectionName,
  type EmbeddingProfile,
  type Profile,
} from '@embedmill/jobs';
import { dimsOf, type ModelSummary } from '@embedmill/models';
import type { IngestRecord } from '@embedmill/queue';
import type { DocumentCount, VectorStore } from '@embedmill/vector-store';
import { requireModel } from '../models/model.ts';
import type { ApiParts } from '../parts.ts';

/** The chunk boundaries of new collections. */
const NEW_BOUNDARY = 'content';

/** A collection as the API shows it. */
export const collectionViewSchema = collectionSchema
  .extend({
    points: z.int().meta({ description: 'Stored points: one per chunk.' }),
    documents: z.int().meta({ description: 'Stored documents.' }),
  })
  .meta({ id: 'Collection' });
export type CollectionView = z.infer<typeof collectionViewSchema>;

/** The collection with this name or alias. Errors: `collection_not_found`. */
export async function requireCollection(store: VectorStore, name: string): Promise<Collection> {
  const parsed = collectionNameSchema.safeParse(name);
  const found = parsed.success ? await findCollection(store, parsed.data as CollectionName) : undefined;
  if (found !== undefined) return found;
  const message = `there is no collection ${JSON.stringify(name)}; create it first`;
  throw new EmbedmillError('collection_not_found', message);
}

/** By its own name or an alias. */
async function findCollection(store: VectorStore, name: CollectionName): Promise<Collection | undefined> {
  const own = await store.getCollection(name);
  if (own !== undefined) return own;
  const alias = (await store.listAliases()).find((one) => one.name === name);
  return alias && store.getCollection(alias.collection);
}

/** The collection with exactly this name; aliases are refused. Errors: `collection_not_found`, `invalid_request`. */
export async function requireByOwnName(store: VectorStore, name: string): Promise<Collection> {
  const collection = await requireCollection(store, name);
  if (collection.name === name) return collection;
  const message = `${name} is an alias of ${collection.name}; name the collection itself, or remove the alias`;
  throw new EmbedmillError('invalid_request', message);
}

/** A single collection, with document counts by tenant and source. */
export const countedCollectionSchema = collectionViewSchema
  .extend({
    tenants: z.array(z.strictObject({ tenant: z.string(), documents: z.int() })).meta({
      description: 'Documents per tenant, largest first; up to 1,000 tenants.',
    }),
    sources: z.array(z.strictObject({ source: z.string().nullable(), documents: z.int() })).meta({
      description:
        'Documents per `source`, largest first; up to 1,000 sources. Null stands for documents that name none.',
    }),
  })
  .meta({ id: 'CountedCollection' });
const MOST_COUNTS = 1000;

/**
 * The collection of a job to repeat. Errors: `collection_not_found`, also if the collection was created again since: the job
 * was accepted before the deletion, and a repetition has its place in the order.
 */
export async function requireCollectionOf(
  { id, collection: { name, createdAt } }: Pick<IngestRecord, 'id' | 'collection'>,
  store: VectorStore,
): Promise<Collection> {
  const collection = await requireCollection(store, name);
  if (collection.createdAt === createdAt) return collection;
  const message = `the collection ${name} of job ${id} was deleted and has been created again; submit the documents to the new one`;
  throw new EmbedmillError('collection_not_found', message);
}

export async function collectionView(store: VectorStore, collection: Collection): Promise<CollectionView> {
  const name = collection.name as CollectionName;
  const [points, tenants] = await Promise.all([
    store.countPoints(name),
    store.countDocuments(name, 'tenant'),
  ]);
  return { ...collection, points, documents: sumOf(tenants) };
}

export async function countedCollection(
  store: VectorStore,
  collection: Collection,
): Promise<z.infer<typeof countedCollectionSchema>> {
  const name = collection.name as CollectionName;
  const [points, tenants, sources] = await Promise.all([
    store.countPoints(name),
    store.countDocuments(name, 'tenant'),
    store.countDocuments(name, 'source'),
  ]);
  return {
    ...collection,
    points,
    documents: sumOf(tenants),
    tenants: mostFirst(tenants).map(({ value, documents }) => ({ tenant: value ?? '', documents })),
    sources: mostFirst(sources).map(({ value, documents }) => ({ source: value, documents })),
  };
}

const sumOf = (counts: readonly DocumentCount[]): number =>
  counts.reduce((sum, { documents }) => sum + documents, 0);

const mostFirst = (counts: readonly DocumentCount[]): DocumentCount[] =>
  counts.toSorted((a, b) => b.documents - a.documents).slice(0, MOST_COUNTS);

/**
 * Creates a collection, unless it exists with the same profile, and lets workers serve its model.
 * Errors: `model_not_found`, `invalid_profile`, `collection_exists`.
 */
export async function createCollection(
  { store, queue, models }: Pick<ApiParts, 'store' | 'queue' | 'models'>,
  name: string,
  asked: Profile,
  { twin, averageLength }: Pick<Collection, 'twin' | 'averageLength'> = {},
): Promise<{ collection: Collection; created: boolean }> {
  const existing = await store.getCollection(name as CollectionName);
  const profile = settled(asked, existing);
  const dims = await checkProfile(profile, models);
  const isSame = (own: Profile) => isDeepStrictEqual(own, profile);
  if (existing !== undefined && !isSame(existing.profile) && !isSame(profileAsCreated(existing))) {
    const message = `the collection ${name} already exists with a different profile; choose another name, or delete it first`;
    throw new EmbedmillError('collection_exists', message);
  }
  const createdAt = new Date().toISOString();
  const collection: Collection = existing ?? {
    name,
    profile,
    dims,
    vector: 'dense',
    analysis: ANALYSIS_VERSION,
    ...(averageLength !== undefined && { averageLength }),
    ...(twin !== undefined && { twin }),
    createdAt,
  };
  if (existing === undefined) await store.createCollection(collection);
  for (const needed of collectionModels(collection)) await queue.announceModel(needed);
  return { collection, created: existing === undefined };
}

/**
 * The definition for a job that writes vectors to a file: like a new collection's, but unknown to stores. The same profile
 * gives the same definition. Errors: `model_not_found`, `invalid_profile`.
 */
export async function ownDefinition(
  asked: EmbeddingProfile,
  models: ApiParts['models'],
): Promise<Collection> {
  const profile = settled(profileSchema.parse(asked), undefined);
  const dims = await checkProfile(profile, models);
  return { ...OWN_DEFINITION, profile, dims, vector: 'dense', analysis: ANALYSIS_VERSION };
}

/** The common creation time of definitions that no store knows, because they are never created again. */
export const OWN_DEFINITION = { name: NO_COLLECTION, createdAt: new Date(0).toISOString() };

/** Returns the size of its dense vectors. */
async function checkProfile(profile: Profile, models: ApiParts['models']): Promise<number> {
  const model = await requireModel(models, profile.model, 'profile/model', 'dense');
  checkChunking(profile, model);
  const dims = dimsOf(model, profile.dims, 'profile/dims');
  await checkSparse(profile, model, models);
  checkLateInteraction(profile, model);
  return dims;
}

/** The profile with defaults: those of the existing collection, else those of new ones. */
function settled(profile: Profile, existing: Collection | undefined): Profile {
  const { chunking } = profile;
  if (chunking.mode === 'document' || chunking.boundary !== undefined) return profile;
  const own = existing?.profile.chunking;
  const boundary = (own?.mode === 'tokens' ? own.boundary : undefined) ?? NEW_BOUNDARY;
  return { ...profile, chunking: { ...chunking, boundary } };
}

/** All models that process a collection's documents. */
export function collectionModels({ profile, other }: Pick<Collection, 'profile' | 'other'>): string[] {
  return [profile.model, profile.sparse.splade?.model, other?.model].filter((name) => name !== undefined);
}

async function checkSparse(
  { sparse }: Profile,
  model: ModelSummary,
  models: ApiParts['models'],
): Promise<void> {
  if (sparse.splade !== undefined)
    await requireModel(models, sparse.splade.model, 'profile/sparse/splade/model', 'sparse');
  if (sparse.bm42 !== undefined && !model.attentions) {
    const able = (await models()).filter(({ attentions }) => attentions).map(({ name }) => name);
    const message = `${model.name} does not provide the attention that BM42 needs; choose one of: ${able.join(', ')}`;
    throw invalidProfile('profile/sparse/bm42', message);
  }
}

function checkLateInteraction({ lateInteraction }: Profile, model: ModelSummary): void {
  if (lateInteraction === undefined || model.tokenVectors) return;
  const message = `${model.name} provides no token vectors, which late interaction needs; leave it out, or choose a text-only transformer such as all-MiniLM-L6-v2`;
  throw invalidProfile('profile/lateInteraction', message);
}

function checkChunking({ chunking }: Profile, model: ModelSummary): void {
  if (chunking.mode === 'document') return;
  const size = chunking.size ?? model.maxTokens;
  if (size > model.maxTokens) {
    const message = `${model.name} reads at most ${model.maxTokens} tokens, but a chunk would have ${size}`;
    throw invalidProfile('profile/chunking/size', message);
  }
  if (chunking.overlap > size / 2) {
    const message = `an overlap of ${chunking.overlap} tokens is more than half the chunk of ${size}`;
    throw invalidProfile('profile/chunking/overlap', message);
  }
}

function invalidProfile(path: string, message: string): EmbedmillError {
  return new EmbedmillError('invalid_profile', `${path}: ${message}`, { details: [{ path, message }] });
}
