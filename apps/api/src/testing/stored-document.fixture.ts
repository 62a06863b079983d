import {
  ANALYSIS_VERSION,
  DEFAULT_TENANT,
  pointId,
  type CollectionName,
  type DocumentId,
} from '@embedmill/jobs';
import { analyzerOf, bm25Document } from '@embedmill/sparse-weighting';
import type { DocumentPoints } from '@embedmill/vector-store';
import { fakeTerms, fakeVectors, NESTED } from './fake-worker.ts';
import { storedPayload } from './stored-payload.fixture.ts';

/** For tests: the profile of a collection that `storedDocument` fits. */
export const SEARCHED_PROFILE = {
  model: NESTED.name,
  sparse: { bm25: { averageLength: 4 }, splade: {} },
};

/** The dense vector that the fake worker gives a text. */
export const vectorOf = (text: string, role: 'query' | 'document' = 'query') =>
  fakeVectors({ inputs: [text], role }, NESTED.dims).vectors;

/** For tests: a document with these chunks, as a worker stores it in a collection with `SEARCHED_PROFILE`. */
export function storedDocument(
  collection: CollectionName,
  id: DocumentId,
  chunks: readonly string[],
): DocumentPoints {
  const analyze = analyzerOf('english', ANALYSIS_VERSION);
  const points = chunks.map((text, index) => ({
    id: pointId(DEFAULT_TENANT, collection, id, index),
    dense: vectorOf(text),
    sparse: { bm25: bm25Document(text, analyze, { k1: 1.2, b: 0.75 }, 4), splade: fakeTerms(text) },
    payload: storedPayload(id, text, {
      chunk_index: index,
      chunk_count: chunks.length,
      start: 100 * index,
    }),
  }));
  return { tenant: DEFAULT_TENANT, id, sequence: 1, points };
}
