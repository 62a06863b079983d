import { geoPointOf, instantOf, type GeoArea, type GeoPoint, type Scalar } from '@embedmill/jobs';
import { isInArea } from '../geo.ts';
import { hasWords, wordsIn } from '../words.ts';
import type { FakeVector } from './fake-vectors.ts';

/** A point as stored by FakeQdrant. */
export interface FakePoint {
  id: string | number;
  vectors: Record<string, FakeVector>;
  payload: Record<string, unknown>;
  version: number;
  shardKey?: string | number | undefined;
}

interface Bounds {
  gte?: number | string | null;
  gt?: number | string | null;
  lte?: number | string | null;
  lt?: number | string | null;
}

/** The part of Qdrant's filters that FakeQdrant supports. */
export interface FakeFilter {
  must?: FakeCondition[] | FakeCondition | null;
  should?: FakeCondition[] | FakeCondition | null;
  must_not?: FakeCondition[] | FakeCondition | null;
}

type FakeCondition =
  | FakeFilter
  | { has_id: (string | number)[] }
  | { has_vector: string }
  | { is_empty: { key: string } }
  | { key: string; match: { value: unknown } | { any: unknown[] } | { text: string } }
  | { key: string; geo_radius: { center: GeoPoint; radius: number } }
  | { key: string; geo_bounding_box: { top_left: GeoPoint; bottom_right: GeoPoint } }
  | { key: string; range: Bounds }
  | { nested: { key: string; filter: FakeFilter } };

/** Whether a key has a full-text index. */
export type IsText = (key: string) => boolean;

/** Whether a point satisfies a filter; missing or empty clauses are ignored. */
export function passes(
  filter: FakeFilter | null | undefined,
  point: FakePoint,
  isText: IsText = () => false,
): boolean {
  if (filter === undefined || filter === null) return true;
  const should = listOf(filter.should);
  return (
    listOf(filter.must).every((condition) => holds(condition, point, isText)) &&
    (should.length === 0 || should.some((condition) => holds(condition, point, isText))) &&
    !listOf(filter.must_not).some((condition) => holds(condition, point, isText))
  );
}

/** The values at a dotted path of a payload; lists are flattened. */
export function valuesAtPath(payload: unknown, path: string): unknown[] {
  return atPath(payload, path)
    .flat()
    .filter((value) => value !== null);
}

/** The objects in lists at a dotted path of a payload. */
function elementsAtPath(payload: unknown, path: string): FakePoint['payload'][] {
  return atPath(payload, path).flatMap((value) =>
    Array.isArray(value)
      ? value.filter((one): one is FakePoint['payload'] => typeof one === 'object' && one !== null)
      : [],
  );
}

/** A path without `[]` does not lead into lists. */
function atPath(payload: unknown, path: string): unknown[] {
  let values: unknown[] = [payload];
  for (const key of path.split('.')) {
    values = values.flatMap((value) =>
      typeof value === 'object' && value !== null && Object.hasOwn(value, key)
        ? [(value as Record<string, unknown>)[key]]
        : [],
    );
  }
  return values;
}

function holds(condition: FakeCondition, point: FakePoint, isText: IsText): boolean {
  if ('has_id' in condition) return condition.has_id.includes(point.id);
  if ('has_vector' in condition) return Object.hasOwn(point.vectors, condition.has_vector);
  if ('is_empty' in condition) return valuesAtPath(point.payload, condition.is_empty.key).length === 0;
  if ('nested' in condition) {
    const { key, filter } = condition.nested;
    // As in Qdrant, only for lists.
    return elementsAtPath(point.payload, key).some((payload) =>
      passes(filter, { ...point, payload }, isText),
    );
  }
  if (!('key' in condition)) return passes(condition, point, isText);
  const values = valuesAtPath(point.payload, condition.key);
  if ('range' in condition) return values.some((value) => isWithin(value, condition.range));
  if ('geo_radius' in condition) {
    const { center, radius } = condition.geo_radius;
    return values.some((value) => isPlaceIn(value, { ...center, radius }));
  }
  if ('geo_bounding_box' in condition) {
    const { top_left, bottom_right } = condition.geo_bounding_box;
    return values.some((value) => isWithinBox(value, top_left, bottom_right));
  }
  if ('text' in condition.match) {
    const { text } = condition.match;
    // Without a full-text index, the searched text may occur anywhere, unchanged.
    if (!isText(condition.key))
      return values.some((value) => typeof value === 'string' && value.includes(text));
    return hasWords(values as Scalar[], wordsIn(text));
  }
  const wanted = 'value' in condition.match ? [condition.match.value] : condition.match.any;
  return values.some((value) => wanted.includes(value));
}

function isPlaceIn(value: unknown, area: GeoArea): boolean {
  const place = geoPointOf(value);
  return place !== undefined && isInArea(place, area);
}

/** Excludes the border. A real Qdrant finds too few points in a large box, so we must never send one. */
function isWithinBox(
  value: unknown,
  { lat: north, lon: west }: GeoPoint,
  { lat: south, lon: east }: GeoPoint,
): boolean {
  if (north - south > 46 || east - west > 46 || east < west)
    throw new Error('FakeQdrant takes small boxes only');
  const place = geoPointOf(value);
  return (
    place !== undefined && place.lat < north && place.lat > south && place.lon > west && place.lon < east
  );
}

/** Numbers are compared with numbers, and dates, which are texts, with dates. */
function isWithin(value: unknown, range: Bounds): boolean {
  const bounds = Object.entries(range).filter(([, bound]) => bound !== null);
  return bounds.every(([word, bound]) => {
    const [a, b] =
      typeof bound === 'string' ? [dateOf(value), dateOf(bound)] : [numberOf(value), numberOf(bound)];
    if (a === undefined || b === undefined) return false;
    switch (word) {
      case 'gte':
        return a >= b;
      case 'gt':
        return a > b;
      case 'lte':
        return a <= b;
      case 'lt':
        return a < b;
      default:
        throw new Error(`FakeQdrant knows no bound ${word}`);
    }
  });
}

function dateOf(value: unknown): number | undefined {
  return typeof value === 'string' ? instantOf(value) : undefined;
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

function listOf<T>(given: T[] | T | null | undefined): T[] {
  if (given === undefined || given === null) return [];
  return Array.isArray(given) ? given : [given];
}
