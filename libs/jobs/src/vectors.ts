import { z } from 'zod';

/** Sparse schemes: ways to turn a text into weighted terms. Each is a named vector in the store. */
export const sparseSchemeSchema = z.enum(['bm25', 'bm42', 'splade']);
export type SparseScheme = z.infer<typeof sparseSchemeSchema>;
export const SPARSE_SCHEMES = sparseSchemeSchema.options;

/**
 * A sparse vector: `values[n]` is the weight of the term with the id `indices[n]`. Ids ascend and are unique, and no weight
 * is 0.
 */
export interface SparseVector {
  readonly indices: Uint32Array;
  readonly values: Float32Array;
}

/**
 * Schemes whose weights lack the term's rarity: a search multiplies each term's product by idf = ln(1 + (N − n + 0.5) /
 * (n + 0.5)), where N is the number of points in the collection with the vector, and n the number of those with the
 * term. Qdrant's `modifier: idf` does the same.
 */
export const WITH_IDF: ReadonlySet<SparseScheme> = new Set<SparseScheme>(['bm25', 'bm42']);

/** A dense vector's name in the store: `dense`, then `dense_2` and so on for models that a collection migrated to. */
export const denseNameSchema = z.string().regex(/^dense(_[2-9]|_[1-9]\d)?$/);
export type DenseName = z.infer<typeof denseNameSchema>;

/**
 * Vectors of a text's tokens, or of clusters of them, for late interaction: rows × dims, concatenated. Only their
 * directions matter. The number of greatest magnitude in each row is 127 or -127.
 */
export type TokenVectors = Int8Array;
