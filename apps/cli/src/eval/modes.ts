import type { SearchRequestInput, SparseProfile } from '@embedmill/jobs';

/** A search request without the query. */
export type ModeRequest = Pick<SearchRequestInput, 'mode' | 'sparse' | 'fusion' | 'rerank'>;

export interface Mode {
  about: string;
  request: ModeRequest;
  /** The sparse vectors that the collection needs for this mode. */
  needs: readonly (keyof SparseProfile)[];
}

/** The modes of search that `eval` compares. */
export const MODES = {
  dense: { about: 'only the dense model', request: { mode: 'dense' }, needs: [] },
  bm25: { about: 'words', request: { mode: 'sparse', sparse: ['bm25'] }, needs: ['bm25'] },
  bm42: {
    about: 'words, weighted by attention',
    request: { mode: 'sparse', sparse: ['bm42'] },
    needs: ['bm42'],
  },
  splade: {
    about: 'terms predicted by a model',
    request: { mode: 'sparse', sparse: ['splade'] },
    needs: ['splade'],
  },
  hybrid: {
    about: 'dense and bm25, by scores',
    request: { mode: 'hybrid', sparse: ['bm25'] },
    needs: ['bm25'],
  },
  'hybrid-rrf': {
    about: 'dense and bm25, by ranks',
    request: { mode: 'hybrid', sparse: ['bm25'], fusion: { method: 'rrf' } },
    needs: ['bm25'],
  },
  'hybrid-bm42': {
    about: 'dense and bm42, by scores',
    request: { mode: 'hybrid', sparse: ['bm42'] },
    needs: ['bm42'],
  },
  'hybrid-all': {
    about: 'dense, splade and bm25, by scores',
    request: { mode: 'hybrid', sparse: ['bm25', 'splade'] },
    needs: ['bm25', 'splade'],
  },
  rerank: {
    about: 'dense, bm25 and bm42, reranked by late interaction',
    request: { mode: 'hybrid', sparse: ['bm25', 'bm42'], rerank: true },
    needs: ['bm25', 'bm42'],
  },
} as const satisfies Record<string, Mode>;
export type ModeName = keyof typeof MODES;
