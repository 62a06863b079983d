import { hash } from 'node:crypto';
import type { FakeConfig } from './fake-config.ts';
import type { FakeFilter, FakePoint } from './fake-filter.ts';
import type { ShardSelector } from './fake-shards.ts';
import {
  asFloat32,
  isSparse,
  kept,
  nearness,
  withIdf,
  type FakeSparse,
  type FakeVector,
} from './fake-vectors.ts';

export interface QueryBody {
  /** A vector, or the id of a point to use its vector; that point is then excluded. */
  query: FakeVector | string | number;
  using: string;
  limit: number;
  offset?: number;
  filter?: FakeFilter;
  shard_key?: ShardSelector;
  score_threshold?: number;
  with_payload?: boolean | string[];
  with_vector?: boolean | string[];
}

/**
 * The scope of a query: the points that match its filter, those it may name, and the sparse vectors that count for the
 * idf.
 */
export interface Searched {
  config: FakeConfig;
  selected: FakePoint[];
  point(id: string | number): FakePoint | undefined;
  /** The sparse vectors of a name in a point's shard, including removed ones that are not vacuumed. */
  counted(name: string, shard: string): FakeSparse[];
}

export interface FakeHit {
  point: FakePoint;
  score: number;
}

/** The nearest points, best first. Each shard computes its own idf. */
export function nearest(body: QueryBody, { config, selected, point, counted }: Searched): FakeHit[] {
  const { query, using, limit, offset = 0, score_threshold: threshold = -Infinity } = body;
  const named = typeof query === 'object' ? undefined : query;
  const given = typeof query === 'object' ? query : point(query)?.vectors[using];
  if (given === undefined) return [];
  const whole = kept(given, config.vectors[using]?.datatype);
  const byShard = new Map<string, FakeVector>();
  const soughtIn = (shard: string): FakeVector => {
    if (!isSparse(whole) || config.sparse[using]?.modifier !== 'idf') return whole;
    const sought = byShard.get(shard) ?? withIdf(whole, counted(using, shard));
    byShard.set(shard, sought);
    return sought;
  };
  const place = tieOrder(offset + limit);
  return selected
    .flatMap((one): FakeHit[] => {
      const vector = one.vectors[using];
      if (vector === undefined || one.id === named) return [];
      const score = nearness(soughtIn(shardOf(one, config.shards)), vector);
      return score === undefined || score < threshold ? [] : [{ point: one, score: asFloat32(score) }];
    })
    .sort((a, b) => b.score - a.score || (place(a.point) < place(b.point) ? -1 : 1))
    .slice(offset, offset + limit);
}

/**
 * Qdrant distributes points by another hash; with this salt, those of the recordings are distributed as they were
 * there.
 */
const SALT = '249';

export function shardOf({ id, shardKey }: Pick<FakePoint, 'id' | 'shardKey'>, shards: number): string {
  const shard = shards === 1 ? 0 : parseInt(hash('md5', `${SALT}${id}`).slice(0, 8), 16) % shards;
  return JSON.stringify([shardKey, shard]);
}

/**
 * Qdrant's order of equal scores depends on its heaps and on the limit, so clients cannot rely on it. This derives an
 * order from the id and the limit.
 */
function tieOrder(top: number): (point: FakePoint) => string {
  const places = new Map<FakePoint, string>();
  return (point) => {
    const place = places.get(point) ?? hash('md5', `${point.id} ${top}`);
    places.set(point, place);
    return place;
  };
}
