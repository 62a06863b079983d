import { EmbedmillError } from '@embedmill/jobs';
import type { EmbeddedChunk } from './embedded-chunk.ts';

/**
 * What the dense model knows of a chunk: some token; none, so that its vector is that of unknown words; or nothing at
 * all, so that its vector is all zeros.
 */
export type Knowledge = 'some' | 'none' | 'zeros';

/** A chunk with its vectors, and what the model knows of it. */
export interface ReadDraft {
  ok: true;
  chunk: EmbeddedChunk;
  knowledge: Knowledge;
}

/** The maximum number of chunks listed in a warning. */
const MOST_NAMED = 10;

/** `knows`: whether the model knows any token. Called for every chunk; the first number almost always decides. */
export function knowledgeOf(vector: Float32Array, knows: boolean): Knowledge {
  return saysNothing(vector) ? 'zeros' : knows ? 'some' : 'none';
}

/** The warning for a document that is unknown to the model, entirely or in some chunks. */
export function unknownText(read: readonly ReadDraft[], model: string): EmbedmillError | undefined {
  const zeros = read.flatMap(({ knowledge }, n) => (knowledge === 'zeros' ? n : []));
  if (read.length > 0 && read.every(({ knowledge }) => knowledge !== 'some')) {
    const vector = zeros.length === read.length ? 'all zeros' : 'that of any such text';
    return new EmbedmillError('unknown_text', `text: ${model} knows no token of it; its vector is ${vector}`);
  }
  if (zeros.length === 0) return undefined;
  const named = zeros.slice(0, MOST_NAMED).join(', ');
  const message = `text: ${model} knows no token of ${zeros.length} of its ${read.length} chunks, whose vectors are all zeros: ${named}`;
  return new EmbedmillError('unknown_text', message);
}

/** Whether no search can find a chunk: neither by its dense vector nor by any term. */
export function isFoundByNothing({ dense, sparse }: Pick<EmbeddedChunk, 'dense' | 'sparse'>): boolean {
  return saysNothing(dense) && Object.values(sparse).every(({ indices }) => indices.length === 0);
}

/** Whether a vector is all zeros. */
export function saysNothing(vector: Float32Array): boolean {
  return vector.every((value) => value === 0);
}
