import type { Scalar, TenantId } from '@embedmill/jobs';
import type { Condition, Target } from '../condition.ts';
import { boxAround } from '../geo.ts';
import {
  beginningOf,
  FACTS,
  rangeKey,
  RANGES,
  thereFact,
  valueFact,
  type RangePart,
} from './filter-columns.ts';

/**
 * A condition in Milvus' filter language, on the columns of filter-columns.ts. Negations are pushed down to the
 * comparisons, because comparing a missing JSON key, and negating that, differs between Milvus versions.
 *
 * `exact` is false if the expression may also match other points: for ranges with two bounds (including prefixes of
 * keywords) in records with several values, and for circles, which are compared by their bounding boxes. The caller
 * must then check the results with `satisfies`.
 */
export interface MilvusExpression {
  text: string;
  exact: boolean;
}

export function milvusExpression(condition: Condition, negated = false): MilvusExpression {
  switch (condition.op) {
    case 'not':
      return milvusExpression(condition.of, !negated);
    case 'and':
    case 'or': {
      const parts = condition.of.map((part) => milvusExpression(part, negated));
      const word = (condition.op === 'and') === negated ? 'or' : 'and';
      return {
        text: `(${parts.map((part) => part.text).join(` ${word} `)})`,
        exact: parts.every((part) => part.exact),
      };
    }
    case 'any':
      return facts(
        'any',
        condition.values.map((value) => valueFact(condition.target, value)),
        negated,
      );
    case 'exists':
      return facts('any', [thereFact(condition.target)], negated);
    case 'words':
      return facts(
        'all',
        condition.words.map((word) => valueFact(condition.target, word)),
        negated,
      );
    case 'prefix': {
      const from = beginningOf(condition.prefix);
      return { text: range(condition.target, { gte: from, lt: `${from}g` }, negated), exact: false };
    }
    case 'range': {
      const { gte, gt, lte, lt } = condition.range;
      const bounds = { gte, gt, lte, lt };
      const isExact = Object.values(bounds).filter((bound) => bound !== undefined).length === 1;
      return { text: range(condition.target, bounds, negated), exact: isExact };
    }
    case 'geo':
      return { text: negated ? EVERY : area(condition), exact: false };
  }
}

/** An expression that every point satisfies. */
const EVERY = '(chunk_index >= 0)';

function facts(which: 'any' | 'all', digests: string[], negated: boolean): MilvusExpression {
  const text = `array_contains_${which}(${FACTS}, [${digests.map((one) => `"${one}"`).join(',')}])`;
  return { text: negated ? `(not ${text})` : `(${text})`, exact: true };
}

interface Bounds {
  gte?: number | string | undefined;
  gt?: number | string | undefined;
  lte?: number | string | undefined;
  lt?: number | string | undefined;
}

/** Some value is at least x exactly if the greatest one is, and at most x exactly if the smallest one is. */
function range(target: Target, { gte, gt, lte, lt }: Bounds, negated: boolean): string {
  const compare = (part: RangePart, holds: string, fails: string, bound: number | string | undefined) =>
    bound === undefined ? [] : [`${keyed(target, part)} ${negated ? fails : holds} ${literal(bound)}`];
  const parts = [
    ...compare('greatest', '>=', '<', gte),
    ...compare('greatest', '>', '<=', gt),
    ...compare('least', '<=', '>', lte),
    ...compare('least', '<', '>=', lt),
  ];
  if (!negated) return `(${parts.join(' and ')})`;
  const missing = `not array_contains_any(${FACTS}, ["${thereFact(target)}"])`;
  const several = parts.length > 1 ? [`${keyed(target, 'several')} == 1`] : [];
  return `(${[...parts, ...several, missing].join(' or ')})`;
}

function area({ target, area: wanted }: Extract<Condition, { op: 'geo' }>): string {
  const { north, south, west, east } = boxAround(wanted);
  const parts = [
    `${keyed(target, 'south')} <= ${literal(north)}`,
    `${keyed(target, 'north')} >= ${literal(south)}`,
  ];
  const [beforeEast, afterWest] = [
    `${keyed(target, 'west')} <= ${literal(east)}`,
    `${keyed(target, 'east')} >= ${literal(west)}`,
  ];
  if (west <= east) parts.push(beforeEast, afterWest);
  else parts.push(`(${beforeEast} or ${afterWest})`);
  return `(${parts.join(' and ')})`;
}

function keyed(target: Target, part: RangePart): string {
  return `${RANGES}["${rangeKey(target, part)}"]`;
}

/** Texts here are hexadecimal, and need no escaping. */
function literal(value: Scalar): string {
  return typeof value === 'string' ? `"${value}"` : String(value);
}

/** The points of a tenant that satisfy a condition; undefined: all. */
export function selection(
  tenant: TenantId | undefined,
  expression: MilvusExpression | undefined,
): string | undefined {
  const parts = [
    ...(tenant === undefined ? [] : [`tenant == ${quoted(tenant)}`]),
    ...(expression === undefined ? [] : [expression.text]),
  ];
  return parts.length === 0 ? undefined : parts.join(' and ');
}

/** A text as a literal of Milvus' filter language. */
export function quoted(text: string): string {
  const escaped = text
    .replaceAll('\\', '\\\\')
    .replaceAll('"', '\\"')
    .replaceAll('\n', '\\n')
    .replaceAll('\r', '\\r');
  return `"${escaped}"`;
}

/** A list of ids, which need no escaping. */
export function oneOf(column: string, ids: readonly string[]): string {
  return `${column} in [${ids.map((id) => `"${id}"`).join(',')}]`;
}
