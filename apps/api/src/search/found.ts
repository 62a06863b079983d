import type { RankedPoint, ScoredPoint } from '@embedmill/vector-store';
import type { ListName } from './query-vectors.ts';

export type Shares = Partial<Record<ListName, number>>;

/** A found point, with its rank and score in each list. */
export interface Found {
  point: ScoredPoint;
  score: number;
  /** By `dense`, `bm25`, …, `rerank`; the best of several queries. */
  scores: Partial<Record<ListName | 'rerank', number>>;
  /** Each list's share of a fused score, if requested. */
  shares?: Shares | undefined;
}

/** A hit whose payload is not read. */
export type Ranking = Omit<Found, 'point'> & { point: RankedPoint };

/** The hits of a page that fit into a response. */
export interface FoundPage {
  found: Found[];
  /** Whether the page has more. */
  isCut: boolean;
}
