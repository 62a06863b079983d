import type { RankedPoint, ScoredPoint } from '@embedmill/vector-store';
import type { ListName } from './query-vectors.ts';

export type Shares = Partial<Record<ListName, number>>;

/** A point that was found, with what each list said of it. */
export interface Found {
  point: ScoredPoint;
  score: number;
  /** By `dense`, `bm25`, …, `rerank`; where several questions were asked, the best. */
  scores: Partial<Record<ListName | 'rerank', number>>;
  /** What part of a fused score each list gave, where that is asked for. */
  shares?: Shares | undefined;
}

/** A hit whose payload is not read. */
export type Ranking = Omit<Found, 'point'> & { point: RankedPoint };

/** Hits of a page, as far as an answer has room for them. */
export interface FoundPage {
  found: Found[];
  /** Whether the page has more. */
  isCut: boolean;
}
