import {
  denseVectors,
  EmbedmillError,
  type Collection,
  type DenseName,
  type DenseVector,
  type SparseScheme,
  type SparseVector,
  type TokenVectors,
} from '@embedmill/jobs';
import { sparseSchemes } from './collections.ts';
import type { SearchVector, VectorAddition } from './store.ts';

/** The dense vector of this name; by default the one that searches use. */
export function denseVector(collection: Collection, name: DenseName = collection.vector): DenseVector {
  const found = denseVectors(collection).find((vector) => vector.name === name);
  if (found !== undefined) return found;
  throw new EmbedmillError('store_rejected', `the collection "${collection.name}" has no vector "${name}"`);
}

/**
 * @throws EmbedmillError `store_rejected` unless the collection has the requested vector and it is well-formed;
 *   `dimension_mismatch`.
 */
export function checkSearchVector(collection: Collection, vector: SearchVector): void {
  switch (vector.kind) {
    case 'dense':
      checkDense(collection, denseVector(collection, vector.name), vector.values, 'the query');
      break;
    case 'sparse':
      checkSparse(collection, vector.scheme, vector.values, 'the query');
  }
}

/** @throws EmbedmillError `dimension_mismatch`, or `store_rejected` if a number of the vector is not finite. */
export function checkDense(
  collection: Collection,
  { dims, model }: DenseVector,
  values: Float32Array,
  where: string,
): void {
  if (values.length !== dims) {
    throw new EmbedmillError(
      'dimension_mismatch',
      `${where}: the vector has ${values.length} numbers, but the collection "${collection.name}" takes ` +
        `${dims}; embed with its model, ${model}`,
    );
  }
  const at = firstNotFinite(values);
  if (at === -1) return;
  throw new EmbedmillError(
    'store_rejected',
    `${where}: the vector has a number that is not finite (${values[at]})`,
  );
}

/**
 * @throws EmbedmillError `store_rejected` if the collection has no vectors of the scheme, ids do not ascend, or a
 *   weight is not a finite number above 0.
 */
export function checkSparse(
  collection: Collection,
  scheme: SparseScheme,
  vector: SparseVector,
  where: string,
): void {
  const refuse = (why: string) => new EmbedmillError('store_rejected', `${where}: ${why}`);
  checkScheme(collection, scheme);
  const { indices, values } = vector;
  if (indices.length !== values.length) {
    throw refuse(`the ${scheme} vector has ${indices.length} ids, but ${values.length} weights`);
  }
  let before = -1;
  for (let at = 0; at < indices.length; at += 1) {
    const index = indices[at] ?? 0;
    const value = values[at] ?? 0;
    if (index <= before) throw refuse(`the ids of the ${scheme} vector do not ascend (${before}, ${index})`);
    if (!(value > 0 && value < Infinity)) {
      throw refuse(`the ${scheme} vector has a weight that is not a finite number above 0 (${value})`);
    }
    before = index;
  }
}

/**
 * @throws EmbedmillError `store_rejected` if the collection has no token vectors; `dimension_mismatch` if the rows do
 *   not have its size.
 */
export function checkTokens(collection: Collection, tokens: TokenVectors, where: string): void {
  const { name, dims, profile } = collection;
  if (profile.lateInteraction === undefined) {
    throw new EmbedmillError(
      'store_rejected',
      `${where}: the collection "${name}" does not store token vectors; create it with "lateInteraction" in its profile`,
    );
  }
  if (tokens.length % dims === 0) return;
  throw new EmbedmillError(
    'dimension_mismatch',
    `${where}: its token vectors have ${tokens.length} numbers, which is not a multiple of ${dims}`,
  );
}

/**
 * The dense vector to which these values are added.
 *
 * @throws EmbedmillError `store_rejected` if the collection has no second vector, or a number is not finite;
 *   `dimension_mismatch`; `migration_state` if the second vector is not the intended one.
 */
export function checkAdditions(
  collection: Collection,
  vectors: VectorAddition[],
  meant: DenseVector | undefined,
): DenseVector {
  const { other } = collection;
  if (other === undefined) {
    throw new EmbedmillError(
      'store_rejected',
      `the collection "${collection.name}" has no second dense vector; add one to its definition first`,
    );
  }
  if (meant !== undefined && (meant.name !== other.name || meant.model !== other.model)) {
    throw new EmbedmillError(
      'migration_state',
      `the second dense vector of the collection "${collection.name}" now belongs to ${other.model}, not to ${meant.model}`,
    );
  }
  for (const { id, values } of vectors) checkDense(collection, other, values, `point ${id}`);
  return other;
}

/** @throws EmbedmillError `store_rejected` when the collection has no vectors of the scheme. */
export function checkScheme(collection: Collection, scheme: SparseScheme): void {
  if (sparseSchemes(collection).includes(scheme)) return;
  throw new EmbedmillError(
    'store_rejected',
    `the collection "${collection.name}" has no ${scheme} vectors; create it with them in its profile`,
  );
}

/**
 * The index of the first non-finite number, or -1. Runs for every written vector, so it calls no function per number.
 */
function firstNotFinite(vector: Float32Array): number {
  for (let at = 0; at < vector.length; at += 1) {
    const value = vector[at] ?? 0;
    // Only for a non-finite number, x − x is not 0.
    if (value - value !== 0) return at;
  }
  return -1;
}
