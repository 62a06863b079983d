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
 * @throws EmbedmillError `collection_exists` unless both are equivalent: equal profiles and sizes, whenever they were
 *   created.
 */
export function assertSameCollection(existing: Collection, wanted: Collection): void {
  const fixed = ({ profile, dims }: Collection) => ({ profile, dims });
  if (isSame(fixed(existing), fixed(wanted))) return;
  // The request is for the original definition, before fields were added.
  if (isSame({ ...fixed(existing), profile: profileAsCreated(existing) }, fixed(wanted))) return;
  throw new EmbedmillError(
    'collection_exists',
    `the collection "${wanted.name}" already exists with a different profile (model ${existing.profile.model}, ${existing.dims} ` +
      `dimensions); choose another name, or delete it first`,
  );
}

/**
 * For stores without configurable shards and replicas.
 *
 * @throws EmbedmillError `invalid_profile` if the profile configures them
 */
export function refuseLayout({ profile }: Collection, store: string): void {
  if (profile.layout === undefined) return;
  const path = 'profile/layout';
  const message = `it applies only to Qdrant, but ${store} would store this collection; leave it out`;
  throw new EmbedmillError('invalid_profile', `${path}: ${message}`, { details: [{ path, message }] });
}

/** An update's changes to a collection's dense vectors. */
export interface VectorChange {
  added: DenseVector | undefined;
  dropped: DenseVector | undefined;
}

/**
 * The changes to the dense vectors when a collection's definition becomes `wanted`.
 *
 * @throws EmbedmillError `store_rejected` if anything else changes, if the vector used by searches is new, or if an
 *   existing vector would get another model or size.
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
 * @param vectors the writer's view of the collection's dense vectors
 * @throws EmbedmillError `store_unavailable` unless they equal the collection's, with the same models in the same
 *   order.
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

/** @throws EmbedmillError `store_unavailable` if the collection's twin differs from the writer's view. */
export function assertTwin(now: Collection, known: Pick<Collection, 'twin'>): void {
  if (now.twin?.name === known.twin?.name) return;
  const its = now.twin === undefined ? 'no twin any more' : `the twin "${now.twin.name}"`;
  throw new EmbedmillError(
    'store_unavailable',
    `the collection "${now.name}" now has ${its}; read its definition again and write accordingly`,
  );
}

/** @throws EmbedmillError `store_unavailable` if the definition differs from the caller's view. */
export function assertKnown(existing: Collection, known: Collection | undefined): void {
  if (known === undefined || isSame(existing, known)) return;
  throw new EmbedmillError(
    'store_unavailable',
    `the collection "${existing.name}" was changed by another request in the meantime; read it and try again`,
  );
}

/** @throws EmbedmillError `collection_not_found` if the collection was created again since the writer read it. */
export function assertNotRemade(now: Collection, known: Pick<Collection, 'createdAt'>): void {
  if (now.createdAt === known.createdAt) return;
  throw new EmbedmillError(
    'collection_not_found',
    `the collection "${now.name}" was deleted and created again; submit the documents to the new one`,
  );
}

/** @throws EmbedmillError `migration_state` if points would be left without the vector that searches use. */
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

/** Whether an update may leave points without a vector to search by, unless all points have it. */
export function needsWholeVector(existing: Collection, wanted: Collection): boolean {
  return wanted.vector !== existing.vector || vectorChange(existing, wanted).dropped !== undefined;
}

/**
 * The definition with one more filterable field; unchanged if the field already exists with this type.
 *
 * @throws EmbedmillError `collection_exists` if the field has another type.
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

/** The message if a name is taken by a collection, or by an alias, whose target it names. */
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

/** Compares via JSON, so that an undefined key equals a missing one. */
function isSame(a: unknown, b: unknown): boolean {
  return isDeepStrictEqual(plain(a), plain(b));
}

function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}
