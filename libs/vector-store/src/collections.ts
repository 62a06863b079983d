import { isDeepStrictEqual } from 'node:util';
import {
  EmbedmillError,
  type Collection,
  type CollectionName,
  type DenseVector,
  type SparseScheme,
} from '@embedmill/jobs';

/**
 * @throws EmbedmillError `collection_exists` unless both mean the same: equal profiles and sizes, whenever made.
 */
export function assertSameCollection(existing: Collection, wanted: Collection): void {
  const fixed = ({ profile, dims }: Collection) => ({ profile, dims });
  if (isSame(fixed(existing), fixed(wanted))) return;
  throw new EmbedmillError(
    'collection_exists',
    `the collection "${wanted.name}" exists with another profile (model ${existing.profile.model}, ${existing.dims} ` +
      `dimensions); choose another name, or delete it first`,
  );
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
  const fixed = ({ profile, createdAt }: Collection) => ({ ...profile, model: '', createdAt });
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
      `the collection "${existing.name}" cannot be changed so: only its average length, which of its dense vectors is ` +
        `searched, and a second one may change`,
    );
  }
  return {
    added: after.find((vector) => !known(vector)),
    dropped: before.find((vector) => !after.some((one) => one.name === vector.name)),
  };
}

/** The dense vectors of a collection's points, the one that searches use first. */
export function denseVectors(collection: Collection): [DenseVector, ...DenseVector[]] {
  const { vector, profile, dims, other } = collection;
  return [{ name: vector, model: profile.model, dims }, ...(other === undefined ? [] : [other])];
}

/** The sparse vectors that points of a collection may have. */
export function sparseSchemes({ profile }: Collection): SparseScheme[] {
  return (Object.keys(profile.sparse) as SparseScheme[]).filter(
    (scheme) => profile.sparse[scheme] !== undefined,
  );
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
