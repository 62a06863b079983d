import { instantOf } from '@embedmill/jobs';
import type { FakeVector } from './fake-vectors.ts';

/** A point as FakeQdrant keeps it. */
export interface FakePoint {
  id: string | number;
  vectors: Record<string, FakeVector>;
  payload: Record<string, unknown>;
  version: number;
}

interface Bounds {
  gte?: number | string | null;
  gt?: number | string | null;
  lte?: number | string | null;
  lt?: number | string | null;
}

/** The part of Qdrant's filters that FakeQdrant knows. */
export interface FakeFilter {
  must?: FakeCondition[] | FakeCondition | null;
  should?: FakeCondition[] | FakeCondition | null;
  must_not?: FakeCondition[] | FakeCondition | null;
}

type FakeCondition =
  | FakeFilter
  | { has_id: (string | number)[] }
  | { has_vector: string }
  | { key: string; match: { value: unknown } | { any: unknown[] } }
  | { key: string; range: Bounds };

/** Whether a point satisfies a filter; clauses that are not given, or empty, ask for nothing. */
export function passes(filter: FakeFilter | null | undefined, point: FakePoint): boolean {
  if (filter === undefined || filter === null) return true;
  const should = listOf(filter.should);
  return (
    listOf(filter.must).every((condition) => holds(condition, point)) &&
    (should.length === 0 || should.some((condition) => holds(condition, point))) &&
    !listOf(filter.must_not).some((condition) => holds(condition, point))
  );
}

/** The values at a dotted path of a payload, those of lists one by one. */
export function valuesAtPath(payload: unknown, path: string): unknown[] {
  let values: unknown[] = [payload];
  for (const key of path.split('.')) {
    values = values.flatMap((value) =>
      typeof value === 'object' && value !== null && Object.hasOwn(value, key)
        ? [(value as Record<string, unknown>)[key]]
        : [],
    );
  }
  return values.flat().filter((value) => value !== null);
}

function holds(condition: FakeCondition, point: FakePoint): boolean {
  if ('has_id' in condition) return condition.has_id.includes(point.id);
  if ('has_vector' in condition) return Object.hasOwn(point.vectors, condition.has_vector);
  if (!('key' in condition)) return passes(condition, point);
  const values = valuesAtPath(point.payload, condition.key);
  if ('range' in condition) return values.some((value) => isWithin(value, condition.range));
  const wanted = 'value' in condition.match ? [condition.match.value] : condition.match.any;
  return values.some((value) => wanted.includes(value));
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
