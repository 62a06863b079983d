import {
  pointId,
  type CollectionName,
  type DocumentId,
  type Filter,
  type JobId,
  type Json,
  type SparseVector,
  type TenantId,
  type TokenVectors,
} from '@embedmill/jobs';
import type { DocumentPoints, SearchVector, SparseVectors, VectorStore } from './store.ts';

/** Documents for tests of stores. */
export const DEFAULT = 'default' as TenantId;

/** The sorted ids of the documents whose points a search finds, up to 1,000. */
export async function idsFound(
  store: VectorStore,
  name: CollectionName,
  filter?: Filter,
  tenant?: TenantId,
): Promise<string[]> {
  const hits = await store.search(name, { vector: near(unit(4, 0)), limit: 1000, offset: 0, filter, tenant });
  return hits.map((hit) => hit.payload.document_id as string).toSorted();
}

/** A search by the dense vector. */
export function near(values: Float32Array): SearchVector {
  return { kind: 'dense', values };
}

/** A sparse vector with these weights, by term. */
export function sparse(weights: Record<number, number>): SparseVector {
  const entries = Object.entries(weights)
    .map(([term, weight]) => [Number(term), weight] as const)
    .sort(([a], [b]) => a - b);
  return {
    indices: Uint32Array.from(entries, ([term]) => term),
    values: Float32Array.from(entries, ([, weight]) => weight),
  };
}

export function keyOf(id: string, tenant = 'default') {
  return { id: id as DocumentId, tenant: tenant as TenantId };
}

interface DocumentShape {
  tenant?: string;
  chunks?: number;
  vectors?: (Float32Array | number[])[];
  metadata?: { [key: string]: Json };
  title?: string;
  image?: string;
  /** One per chunk. */
  other?: Float32Array[];
  sparse?: SparseVectors[];
  tokens?: (TokenVectors | undefined)[];
  fingerprint?: string;
  /** The sequence of its submission; 1 by default. */
  sequence?: number;
}

/** A document of this collection; by default with one chunk and the first unit vector. */
export function documentOf(
  collection: CollectionName,
  id: string,
  shape: DocumentShape = {},
): DocumentPoints {
  const key = keyOf(id, shape.tenant);
  const { sequence = 1 } = shape;
  const vectors = shape.vectors ?? Array.from({ length: shape.chunks ?? 1 }, (_, i) => unit(4, i % 4));
  return {
    ...key,
    sequence,
    points: vectors.map((vector, index) => ({
      id: pointId(key.tenant, collection, key.id, index),
      dense: vector instanceof Float32Array ? vector : new Float32Array(vector),
      other: shape.other?.[index],
      sparse: shape.sparse?.[index],
      tokens: shape.tokens?.[index],
      payload: {
        document_id: key.id,
        tenant: key.tenant,
        chunk_index: index,
        chunk_count: vectors.length,
        text: `text ${index} of ${id}`,
        start: index * 10,
        end: index * 10 + 10,
        title: shape.title ?? null,
        image: shape.image ?? null,
        timestamp: null,
        fingerprint: shape.fingerprint ?? `fingerprint of ${id}`,
        job_id: `job of ${id}` as JobId,
        sequence,
        metadata: shape.metadata ?? {},
      },
    })),
  };
}

/** The stored state of a document from documentOf. */
export function stored(id: string, chunkCount: number, sequence = 1, decided = sequence) {
  const written = { fingerprint: `fingerprint of ${id}`, chunkCount, jobId: `job of ${id}` };
  return { state: 'stored', ...written, sequence, decided };
}

/** The stored state of a deleted document. */
export function absent(decided: number) {
  return { state: 'absent', decided };
}

export function unit(dims: number, at: number): Float32Array {
  return new Float32Array(dims).fill(1, at, at + 1);
}

/** A unit vector of 8 numbers at this part of a circle; near parts have near vectors. */
export function onCircle(part: number): Float32Array {
  const angle = part * 2 * Math.PI;
  return new Float32Array([Math.cos(angle), Math.sin(angle), 0, 0, 0, 0, 0, 0]);
}
