import { instantText, type GeoArea, type Scalar, type TenantId } from '@embedmill/jobs';
import type { Schemas } from '@qdrant/js-client-rest';
import type { Condition, Range, Target } from '../condition.ts';

export type QdrantFilter = Schemas['Filter'];
export type QdrantCondition = Schemas['Condition'];

/**
 * A condition as a Qdrant filter. Qdrant cannot match the beginning of a keyword, only a part of it: a filter with such
 * a condition may match too many points (see isExact), and negations are pushed down to the comparisons.
 */
export function qdrantCondition(condition: Condition, negated = false): QdrantCondition {
  switch (condition.op) {
    case 'and':
    case 'or': {
      const parts = condition.of.map((part) => qdrantCondition(part, negated));
      return (condition.op === 'and') === negated ? { should: parts } : { must: parts };
    }
    case 'not':
      return isExact(condition.of) && !negated
        ? { must_not: [qdrantCondition(condition.of)] }
        : qdrantCondition(condition.of, !negated);
    case 'prefix':
      return negated ? EVERY : { key: keyOf(condition.target), match: { text: condition.prefix } };
    default:
      return negated ? { must_not: [comparison(condition)] } : comparison(condition);
  }
}

/** Whether a condition's Qdrant filter is exact; otherwise its results must be checked. */
export function isExact(condition: Condition): boolean {
  switch (condition.op) {
    case 'and':
    case 'or':
      return condition.of.every(isExact);
    case 'not':
      return isExact(condition.of);
    default:
      return condition.op !== 'prefix';
  }
}

/** A filter that every point satisfies. */
const EVERY: QdrantCondition = { must_not: [{ has_id: [] }] };

type Comparison = Exclude<Condition, { op: 'and' | 'or' | 'not' | 'prefix' }>;

function comparison(condition: Comparison): QdrantCondition {
  const key = keyOf(condition.target);
  switch (condition.op) {
    case 'any':
      return anyOf(condition.target, condition.values);
    case 'range':
      return { key, range: rangeOf(condition.target, condition.range) };
    case 'exists':
      return { must_not: [{ is_empty: { key } }] };
    case 'words':
      return { key, match: { text: condition.words.join(' ') } };
    case 'geo':
      return inArea(key, condition.area);
  }
}

function inArea(key: string, area: GeoArea): QdrantCondition {
  if (!('radius' in area)) return inBox(key, area);
  const { lat, lon, radius } = area;
  return { key, geo_radius: { center: { lat, lon }, radius } };
}

type Box = Exclude<GeoArea, { radius: number }>;

/** The maximum size of a box in which Qdrant's geo index finds all points, in degrees. */
const SMALL_BOX = 45;
/** More than the rounding error of a geo index, in degrees. */
const BORDER = 1e-6;

/**
 * A box by its bounds, including the border. Qdrant's own boxes exclude their border, and miss points in large boxes,
 * at the poles and at the date line (seen with 1.19.0). So Qdrant's box only narrows down the candidates, and the
 * bounds decide.
 */
function inBox(key: string, box: Box): QdrantCondition {
  const { north, south, west, east } = box;
  const within = (path: string): QdrantCondition[] => {
    const lon = `${path}lon`;
    const bounds: QdrantCondition[] = [
      { key: lon, range: { gte: west } },
      { key: lon, range: { lte: east } },
    ];
    return [
      { key: `${path}lat`, range: { gte: south, lte: north } },
      west <= east ? { must: bounds } : { should: bounds },
    ];
  };
  // The first is for a single place, the second for a list.
  const exact = {
    should: [{ must: within(`${key}.`) }, { nested: { key, filter: { must: within('') } } }],
  };
  return isSmall(box) ? { must: [{ key, geo_bounding_box: around(box) }, exact] } : exact;
}

function isSmall({ north, south, west, east }: Box): boolean {
  const isNarrow = north - south <= SMALL_BOX && west <= east && east - west <= SMALL_BOX;
  return isNarrow && south >= -89 && north <= 89 && west >= -179 && east <= 179;
}

function around({ north, south, west, east }: Box): Schemas['GeoBoundingBox'] {
  return {
    top_left: { lat: north + BORDER, lon: west - BORDER },
    bottom_right: { lat: south - BORDER, lon: east + BORDER },
  };
}

export function searchFilter(
  tenant: TenantId | undefined,
  condition: Condition | undefined,
): QdrantFilter | undefined {
  const must: QdrantCondition[] = [];
  if (tenant !== undefined) must.push(matches('tenant', tenant));
  if (condition !== undefined) must.push(qdrantCondition(condition));
  return must.length === 0 ? undefined : { must };
}

export function ofTenant(tenant: TenantId): QdrantFilter {
  return { must: [matches('tenant', tenant)] };
}

/** Those of these points that belong to the tenant, if one is given. */
export function pointsOf(tenant: TenantId | undefined, ids: string[]): { must: QdrantCondition[] } {
  const must: QdrantCondition[] = [{ has_id: ids }];
  if (tenant !== undefined) must.push(matches('tenant', tenant));
  return { must };
}

/** All points of these documents of one tenant. */
export function ofDocuments(tenant: TenantId, documents: string[]): { must: QdrantCondition[] } {
  const any = [...new Set(documents)];
  return { must: [matches('tenant', tenant), { key: 'document_id', match: { any } }] };
}

/** The chunks of these documents from this index on, with exactly this sequence, or at most this one. */
export function ofChunks(
  tenant: TenantId,
  documents: string[],
  from: number,
  sequence: number,
  which: 'exactly' | 'upTo',
): QdrantFilter {
  const { must } = ofDocuments(tenant, documents);
  const chunks = { key: 'chunk_index', range: { gte: from } };
  if (which === 'exactly') return { must: [...must, chunks, writtenUnder(sequence)] };
  return { must: [...must, chunks], must_not: [above('sequence', sequence)] };
}

/**
 * Points that no greater sequence has decided, including those without one; and, if fingerprints are given, that are
 * not the head of one of these documents with this very sequence.
 */
export function notDecidedAbove(sequence: number, whole: string[] = []): QdrantFilter {
  const decided = [above('sequence', sequence), above('confirmed', sequence)];
  if (whole.length === 0) return { must_not: decided };
  const same = {
    must: [writtenUnder(sequence), { key: 'fingerprint', match: { any: [...new Set(whole)] } }],
  };
  return { must_not: [...decided, same] };
}

/**
 * Those of these points that were written under one sequence and that no sequence greater than the other has decided.
 */
export function unchangedSince(points: string[], written: number, sequence: number): QdrantFilter {
  return {
    must: [{ has_id: points }, writtenUnder(written), IS_SHOWN],
    must_not: [above('confirmed', sequence)],
  };
}

/** All points that were written under a sequence. */
export function writtenUnder(sequence: number): QdrantCondition {
  // Points stored before sequences existed have none.
  if (sequence === 0) return { must_not: [above('sequence', 0)] };
  return { key: 'sequence', range: { gte: sequence, lte: sequence } };
}

/** Tombstones of sequences below this one. */
export function tombstonesBelow(sequence: number): QdrantFilter {
  return { must: [matches('chunk_count', 0), { key: 'sequence', range: { lt: sequence } }] };
}

/** Matches all points except tombstones. */
const IS_SHOWN: QdrantCondition = { must_not: [matches('chunk_count', 0)] };

/** A filter that excludes tombstones; searches do not need it, because tombstones have no vectors. */
export function shown(filter: QdrantFilter | undefined): QdrantFilter {
  return { must: [IS_SHOWN, ...(filter === undefined ? [] : [filter])] };
}

function above(key: string, sequence: number): QdrantCondition {
  return { key, range: { gt: sequence } };
}

/** The chunks 0 of the tenant's documents, one per document. */
export function headFilter(tenant: TenantId | undefined): { must: QdrantCondition[] } {
  const head = matches('chunk_index', 0);
  return { must: tenant === undefined ? [head] : [matches('tenant', tenant), head] };
}

/** The documents of a source; null: those without one. */
export function ofSource(source: string | null): QdrantCondition {
  return source === null ? { is_empty: { key: 'source' } } : matches('source', source);
}

/** Points without a vector of this name. */
export function withoutVector(name: string): QdrantFilter {
  return { must_not: [{ has_vector: name }] };
}

function matches(key: string, value: string | number | boolean): QdrantCondition {
  return { key, match: { value } };
}

/**
 * `match` compares texts, integers and booleans, but lists only of the first two; other values become ranges of one
 * value.
 */
function anyOf(target: Target, values: Scalar[]): QdrantCondition {
  const key = keyOf(target);
  switch (target.type) {
    case 'keyword':
    case 'integer': {
      const [first] = values;
      if (values.length === 1 && first !== undefined) return matches(key, first);
      return { key, match: { any: values as string[] | number[] } };
    }
    case 'boolean':
      return { should: values.map((value) => matches(key, value)) };
    case 'float':
    case 'datetime':
      return {
        should: values.map((value) => ({
          key,
          range: rangeOf(target, { gte: value as number, lte: value as number }),
        })),
      };
    case 'text':
    case 'geo':
      throw new TypeError(`a ${target.type} cannot be compared as a whole`);
  }
}

function rangeOf(target: Target, range: Range): Schemas['RangeInterface'] {
  if (target.type !== 'datetime') return range;
  return Object.fromEntries(Object.entries(range).map(([bound, instant]) => [bound, instantText(instant)]));
}

function keyOf(target: Target): string {
  return target.kind === 'document_id' ? 'document_id' : `metadata.${target.field}`;
}

/** Groups documents by tenant, because a filter on documents is for one tenant. */
export function byTenant<T extends { tenant: TenantId }>(documents: T[]): Map<TenantId, T[]> {
  return Map.groupBy(documents, (document) => document.tenant);
}
