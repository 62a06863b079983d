import { hash } from 'node:crypto';
import type { Collection, DenseName, DenseVector, TokenVectors } from '@embedmill/jobs';
import type { StoredPoint, VectorHashes } from '@embedmill/vector-store';

/** The inputs of a chunk's vectors. */
export interface VectorInputs {
  /** Tokens of the dense model: special tokens, prefix, title and text. */
  ids: Int32Array;
  /** The input of other models, and of engines that embed texts: title and text. */
  text: string;
  /** Tokens of `collection.other`'s model, if there is one. */
  otherIds?: Int32Array | undefined;
}

/** The revisions of the models of a collection's vectors. */
export interface Revisions {
  own: string;
  /** The revision of `collection.other`'s model. */
  other: string | undefined;
  splade: string | undefined;
}

/** 132 bits, of letters, digits, "-" and "_". */
const HASH_CHARACTERS = 22;

/**
 * For each vector of a chunk, the hash of exactly its input. Vectors with equal hashes are equal, whatever the document
 * and position of their chunks. Pure.
 */
export function vectorHashes(
  { ids, text, otherIds }: VectorInputs,
  { vector, dims, other, profile, analysis }: Collection,
  revisions: Revisions,
): VectorHashes {
  const { bm42, splade } = profile.sparse;
  const { lateInteraction } = profile;
  const hashes: { -readonly [Name in keyof VectorHashes]: string } = {
    [vector]: denseHash({ ids, text }, { model: profile.model, dims }, revisions.own),
  };
  if (other !== undefined && otherIds !== undefined && revisions.other !== undefined) {
    hashes[other.name] = denseHash({ ids: otherIds, text }, other, revisions.other);
  }
  if (bm42 !== undefined) {
    hashes.bm42 = hashOf([profile.model, revisions.own, tokensIn(ids), text, bm42, analysis]);
  }
  if (lateInteraction !== undefined) {
    const { poolFactor } = lateInteraction;
    hashes.tokens = hashOf([profile.model, revisions.own, dims, tokensIn(ids), text, { poolFactor }]);
  }
  if (splade !== undefined && revisions.splade !== undefined) {
    hashes.splade = hashOf([splade, revisions.splade, text]);
  }
  return hashes;
}

/** The hash of a dense vector, whichever of a collection's it is. */
export function denseHash(
  { ids, text }: Pick<VectorInputs, 'ids' | 'text'>,
  { model, dims }: Pick<DenseVector, 'model' | 'dims'>,
  revision: string,
): string {
  return hashOf([model, revision, dims, tokensIn(ids), text]);
}

function tokensIn(ids: Int32Array): string {
  return Buffer.from(ids.buffer, ids.byteOffset, ids.byteLength).toString('base64');
}

function hashOf(parts: readonly unknown[]): string {
  return hash('sha256', JSON.stringify(parts), 'base64url').slice(0, HASH_CHARACTERS);
}

/** The vectors of stored points by the hashes of their inputs, whatever their names in their collections. */
export class StoredVectors {
  readonly #dense = new Map<string, Float32Array>();
  readonly #tokens = new Map<string, TokenVectors>();
  readonly #sparse = new Map<string, NonNullable<StoredPoint['sparse']>>();

  add(points: readonly StoredPoint[], { vector, other }: Collection): this {
    for (const { dense, other: second, tokens, sparse, payload } of points) {
      const { hashes = {} } = payload;
      this.#keep(hashes[vector], dense);
      if (other !== undefined) this.#keep(hashes[other.name], second);
      if (hashes.tokens !== undefined && tokens !== undefined) this.#tokens.set(hashes.tokens, tokens);
      for (const scheme of ['bm42', 'splade'] as const) {
        const hash = hashes[scheme];
        if (hash !== undefined && sparse !== undefined) this.#sparse.set(`${scheme} ${hash}`, sparse);
      }
    }
    return this;
  }

  dense(name: DenseName, hashes: VectorHashes): Float32Array | undefined {
    return this.#dense.get(hashes[name] ?? '');
  }

  tokens(hashes: VectorHashes): TokenVectors | undefined {
    return this.#tokens.get(hashes.tokens ?? '');
  }

  /** Undefined if unknown; the vector may have no terms. */
  sparse(scheme: 'bm42' | 'splade', hashes: VectorHashes): { vector: SparseOf } | undefined {
    const found = this.#sparse.get(`${scheme} ${hashes[scheme]}`);
    return found && { vector: found[scheme] };
  }

  #keep(hash: string | undefined, values: Float32Array | undefined): void {
    if (hash !== undefined && values !== undefined) this.#dense.set(hash, values);
  }
}

type SparseOf = NonNullable<StoredPoint['sparse']>['bm42'];
