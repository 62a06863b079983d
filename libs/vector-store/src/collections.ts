import { isDeepStrictEqual } from 'node:util';
import {
  denseVectors,
  EmbedmillError,
  profileAsCreated,
  withField,
  type Collection,
  type CollectionName,
  type FilterableType,
  type DenseVector,
  type SparseScheme,
} from '@embedmill/jobs';
import type { Alias } from './store.ts';

/**
 * @throws EmbedmillError `collection_exists` unless both mean the same: equal profiles and sizes, whenever made.
 */
export function assertSameCollection(existing: Collection, wanted: Collection): void {
  const fixed = ({ profile, dims }: Collection) => ({ profile, dims });
  if (isSame(fixed(existing), fixed(wanted))) return;
  // Wanted as it was created, before fields were added to it.
  if (isSame({ ...fixed(existing), profile: profileAsCreated(existing) }, fixed(wanted))) return;
  throw new EmbedmillError(
    'collection_exists',
    `the collection "${wanted.name}" already exists with a different profile (model ${existing.profile.model}, ${existing.dims} ` +
      `dimensions); choose another name, or delete it first`,
  );
}

/**
 * For stores that have no shards and copies to lay out.
 *
 * @throws EmbedmillError `invalid_profile` where the profile says how they are to be
 */
export function refuseLayout({ profile }: Collection, store: string): void {
  if (profile.layout === undefined) return;
  const path = 'profile/layout';
  const message = `it applies only to Qdrant, but ${store} would store this collection; leave it out`;
  throw new EmbedmillError('invalid_profile', `${path}: ${message}`, { details: [{ path, message }] });
}

/** What an update changes of a collection's dense vectors. */
export interface VectorChange {
  added: DenseVector | undefined;
  dropped: DenseVector | undefined;
}

/**
 * What becomes of the dense vectors when a collection's definition becomes `wanted`.
 *
 * @throws EmbedmillError `store_rejected` when anything else of it changes, when the vector to search by is new, or
 *   when a vector that is there would get another model or size.
 */
export function vectorChange(existing: Collection, wanted: Collection): VectorChange {
  const fixed = ({ profile, addedFields, createdAt }: Collection) => ({
    ...profile,
    model: '',
    addedFields,
    createdAt,
  });
  const before = denseVectors(existing);
  const after = denseVectors(wanted);
  const known = (vector: DenseVector) => before.some((one) => one.name === vector.name);
  const kept = after.filter(known);
  if (
    !isSame(fixed(existing), fixed(wanted)) ||
    !known(after[0]) ||
    after[0].name === wanted.other?.name ||
    !kept.every((vector) => before.some((one) => isSame(one, vector)))
  ) {
    throw new EmbedmillError(
      'store_rejected',
      `the collection "${existing.name}" cannot be changed like this: only its average length, which of its dense vectors is ` +
        `searched, a second one, and its twin may change`,
    );
  }
  return {
    added: after.find((vector) => !known(vector)),
    dropped: before.find((vector) => !after.some((one) => one.name === vector.name)),
  };
}

/**
 * @param vectors what a writer takes for the collection's dense vectors
 * @throws EmbedmillError `store_unavailable` unless they are those that it has, of the same models and in the same order.
 */
export function assertVectors(collection: Collection, vectors: readonly DenseVector[]): void {
  const now = denseVectors(collection);
  if (isSame(now, vectors)) return;
  const named = (some: readonly DenseVector[]) =>
    some.map(({ name, model }) => `${name} (${model})`).join(' and ');
  throw new EmbedmillError(
    'store_unavailable',
    `the collection "${collection.name}" now has the dense vectors ${named(now)} instead of ${named(vectors)}; read its ` +
      `definition again and embed by it`,
  );
}

/** @throws EmbedmillError `store_unavailable` where the collection has another twin than a writer knows. */
export function assertTwin(now: Collection, known: Pick<Collection, 'twin'>): void {
  if (now.twin?.name === known.twin?.name) return;
  const its = now.twin === undefined ? 'no twin any more' : `the twin "${now.twin.name}"`;
  throw new EmbedmillError(
    'store_unavailable',
    `the collection "${now.name}" now has ${its}; read its definition again and write accordingly`,
  );
}

/** @throws EmbedmillError `store_unavailable` where the definition is not what the caller took it to be. */
export function assertKnown(existing: Collection, known: Collection | undefined): void {
  if (known === undefined || isSame(existing, known)) return;
  throw new EmbedmillError(
    'store_unavailable',
    `the collection "${existing.name}" was changed by another request in the meantime; read it and try again`,
  );
}

/** @throws EmbedmillError `collection_not_found` where it is not the one that a writer knows, but one made since. */
export function assertNotRemade(now: Collection, known: Pick<Collection, 'createdAt'>): void {
  if (now.createdAt === known.createdAt) return;
  throw new EmbedmillError(
    'collection_not_found',
    `the collection "${now.name}" was deleted and created again; submit the documents to the new one`,
  );
}

/** @throws EmbedmillError `migration_state` when points would be left without the vector that searches use. */
export function assertNoneLacking(wanted: Collection, lacking: number): void {
  if (lacking === 0) return;
  const { name, vector, profile } = wanted;
  const points = lacking === 1 ? '1 point of' : `${lacking} points of`;
  const [lack, them] = lacking === 1 ? ['lacks', 'it'] : ['lack', 'them'];
  throw new EmbedmillError(
    'migration_state',
    `${points} "${name}" ${lack} the vector of ${profile.model} ("${vector}"), so searches by it would not find ${them}: ` +
      `let a migration add what is missing ("embedmill migrate ${name} --to ${profile.model}", or POST ` +
      `/api/v1/collections/${name}/migration), and try again when its job has finished. Documents among that job's ` +
      `failures must be submitted again or deleted.`,
  );
}

/** Whether an update may leave points without a vector to search by, unless all have that one. */
export function needsWholeVector(existing: Collection, wanted: Collection): boolean {
  return wanted.vector !== existing.vector || vectorChange(existing, wanted).dropped !== undefined;
}

/**
 * The definition with one more field to filter by; itself, where it is there as this type.
 *
 * @throws EmbedmillError `collection_exists` where the field is of another type.
 */
export function definitionWithField(existing: Collection, field: string, type: FilterableType): Collection {
  const { filterable } = existing.profile;
  const there = Object.hasOwn(filterable, field) ? filterable[field] : undefined;
  if (there === type) return existing;
  if (there === undefined) return withField(existing, field, type);
  throw new EmbedmillError(
    'collection_exists',
    `the field "${field}" of the collection "${existing.name}" is already filterable as ${there}, not as ${type}`,
  );
}

/** The sparse vectors that points of a collection may have. */
export function sparseSchemes({ profile }: Collection): SparseScheme[] {
  return (Object.keys(profile.sparse) as SparseScheme[]).filter(
    (scheme) => profile.sparse[scheme] !== undefined,
  );
}

/** What to say where a name is taken: by a collection, or, with what it stands for, by an alias. */
export function nameTaken(name: string, alias?: Alias): EmbedmillError {
  const message =
    alias === undefined
      ? `"${name}" is the name of a collection; choose another name for the alias`
      : `"${name}" is an alias of the collection "${alias.collection}"; choose another name, or remove the alias first`;
  return new EmbedmillError('collection_exists', message);
}

export function collectionNotFound(name: CollectionName): EmbedmillError {
  return new EmbedmillError('collection_not_found', `there is no collection "${name}"; create it first`);
}

/** Through JSON, so that a key that is undefined equals one that is missing. */
function isSame(a: unknown, b: unknown): boolean {
  return isDeepStrictEqual(plain(a), plain(b));
}

function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}
