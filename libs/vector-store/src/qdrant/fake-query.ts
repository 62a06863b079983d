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
  /** A vector, or the id of the point whose vector is meant; the point itself is not found then. */
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

/** What a query may find: the points that pass its filter, those it may name, and sparse vectors that count for the idf. */
export interface Searched {
  config: FakeConfig;
  selected: FakePoint[];
  point(id: string | number): FakePoint | undefined;
  /** Sparse vectors of a name in the shard that a point is in: of what is there, and of what is gone but not vacuumed. */
  counted(name: string, shard: string): FakeSparse[];
}

export interface FakeHit {
  point: FakePoint;
  score: number;
}

/** The nearest points, best first. Each shard counts its own idf. */
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

/** Qdrant's own hash puts points otherwise; with this salt, those of the recordings fall as they did there. */
const SALT = '249';

export function shardOf({ id, shardKey }: Pick<FakePoint, 'id' | 'shardKey'>, shards: number): string {
  const shard = shards === 1 ? 0 : parseInt(hash('md5', `${SALT}${id}`).slice(0, 8), 16) % shards;
  return JSON.stringify([shardKey, shard]);
}

/**
 * Qdrant orders equal scores as its heaps leave them: by how many are looked for, in no way that a client may rely on. Here
 * by a number made of both.
 */
function tieOrder(top: number): (point: FakePoint) => string {
  const places = new Map<FakePoint, string>();
  return (point) => {
    const place = places.get(point) ?? hash('md5', `${point.id} ${top}`);
    places.set(point, place);
    return place;
  };
}
