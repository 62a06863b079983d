import type { SparseVector } from '@embedmill/jobs';
import type { ZVecVector } from '@zvec/zvec';

/** Sparse vectors in zvec's format: an object of weights by term. */
export function sparseRow(vector: SparseVector | undefined): Record<number, number> {
  const row: Record<number, number> = {};
  if (vector === undefined) return row;
  const { indices, values } = vector;
  for (let at = 0; at < indices.length; at += 1) row[indices[at] ?? 0] = values[at] ?? 0;
  return row;
}

/** Undefined for an empty one. */
export function sparseVectorOf(row: ZVecVector | undefined): SparseVector | undefined {
  // Integer keys are in ascending order.
  const entries = Object.entries(row ?? {});
  if (entries.length === 0) return undefined;
  return {
    indices: Uint32Array.from(entries, ([term]) => Number(term)),
    values: Float32Array.from(entries, ([, weight]) => weight as number),
  };
}

/** Term ids as a text: their bytes in base64. */
export function termsText(terms: Uint32Array): string {
  return Buffer.from(terms.buffer, terms.byteOffset, terms.byteLength).toString('base64');
}

/** The ids in a text of termsText; none if there is no text. */
export function termsOf(text: unknown): Uint32Array {
  const bytes = Buffer.from(typeof text === 'string' ? text : '', 'base64');
  const terms = new Uint32Array(bytes.length / Uint32Array.BYTES_PER_ELEMENT);
  // Copied, because the bytes may not be aligned.
  new Uint8Array(terms.buffer).set(bytes);
  return terms;
}
