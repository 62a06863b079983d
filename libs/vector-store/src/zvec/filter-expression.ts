import type { Scalar } from '@embedmill/jobs';
import type { Condition, Range, Target } from '../condition.ts';
import { boxAround } from '../geo.ts';
import { CHUNK_INDEX, placeColumns, type ColumnsOf, type FilterColumns } from './columns.ts';

/**
 * A condition in zvec's filter language, which has no `not`, no literal for every text, and no order on lists. So
 * negations are pushed down to the comparisons, texts are digests, and a range with two bounds compares the smallest
 * and the largest value, which matches too many records if they have several values. `exact` is then false, and the
 * caller must check the results with `satisfies`. The same applies to prefixes of keywords, which digests cannot
 * express, and to places, which are compared by their bounding boxes.
 */
export interface FilterExpression {
  text: string;
  exact: boolean;
}

/** An expression that every row satisfies. */
const ANY: FilterExpression = { text: `(${CHUNK_INDEX} >= 0)`, exact: false };
/** The maximum length of a list in zvec. */
const LONGEST_LIST = 32;

export function filterExpression(condition: Condition, find: ColumnsOf, negated = false): FilterExpression {
  switch (condition.op) {
    case 'not':
      return filterExpression(condition.of, find, !negated);
    case 'and':
    case 'or':
      return joined(
        condition.of.map((part) => filterExpression(part, find, negated)),
        (condition.op === 'and') === negated ? 'or' : 'and',
      );
    case 'any': {
      const { values, hold } = find(condition.target);
      const held = condition.values.map((value) => literal(hold(value)));
      const lists = chunksOf([...new Set(held)], LONGEST_LIST);
      if (!negated)
        return exact(lists.map((list) => `${values} contain_any (${list.join(',')})`).join(' or '));
      const none = lists.map((list) => `${values} not contain_any (${list.join(',')})`).join(' and ');
      return exact(`(${none}) or ${values} is null`);
    }
    case 'exists':
      return exact(existence(condition.target, find(condition.target), negated));
    case 'prefix':
      return negated
        ? ANY
        : { text: `(${existence(condition.target, find(condition.target), false)})`, exact: false };
    case 'words': {
      const { values, hold } = find(condition.target);
      const each = condition.words.map(
        (word) => `${values} ${negated ? 'not ' : ''}contain_any (${literal(hold(word))})`,
      );
      return exact(negated ? [...each, `${values} is null`].join(' or ') : each.join(' and '));
    }
    case 'geo': {
      if (negated) return ANY;
      const { north, south, west, east } = placeColumns(find(condition.target));
      const box = boxAround(condition.area);
      const parts = [`${south} <= ${box.north}`, `${north} >= ${box.south}`];
      if (box.west <= box.east) parts.push(`${west} <= ${box.east}`, `${east} >= ${box.west}`);
      else parts.push(`(${west} <= ${box.east} or ${east} >= ${box.west})`);
      return { text: `(${parts.join(' and ')})`, exact: false };
    }
    case 'range': {
      const { least, greatest, several } = find(condition.target);
      const bounds = comparisons(condition.range, least, greatest);
      const isExact = bounds.length === 1;
      if (!negated) return { text: `(${bounds.map((bound) => bound.holds).join(' and ')})`, exact: isExact };
      const fails = [...bounds.map((bound) => bound.fails), `${least} is null`];
      if (!isExact) fails.push(`${several} = 1`);
      return { text: `(${fails.join(' or ')})`, exact: isExact };
    }
  }
}

function existence({ type }: Target, columns: FilterColumns, negated: boolean): string {
  if (type === 'geo') return `${placeColumns(columns).south} is ${negated ? 'null' : 'not null'}`;
  const { values, isThere } = columns;
  if (isThere === undefined) return `${values} is ${negated ? 'null' : 'not null'}`;
  return `${values} ${negated ? 'not ' : ''}contain_any (${literal(isThere)})`;
}

/** Some value is at least x exactly if the greatest one is, and at most x exactly if the smallest one is. */
function comparisons({ gte, gt, lte, lt }: Range, least: string, greatest: string) {
  const compare = (column: string, holds: string, fails: string, bound: number | undefined) =>
    bound === undefined
      ? []
      : [{ holds: `${column} ${holds} ${literal(bound)}`, fails: `${column} ${fails} ${literal(bound)}` }];
  return [
    ...compare(greatest, '>=', '<', gte),
    ...compare(greatest, '>', '<=', gt),
    ...compare(least, '<=', '>', lte),
    ...compare(least, '<', '>=', lt),
  ];
}

function joined(parts: FilterExpression[], word: 'and' | 'or'): FilterExpression {
  return {
    text: `(${parts.map((part) => part.text).join(` ${word} `)})`,
    exact: parts.every((part) => part.exact),
  };
}

function exact(text: string): FilterExpression {
  return { text: `(${text})`, exact: true };
}

/** A literal: a number, `true`, `false`, or a quoted digest, which needs no escaping. */
function literal(held: Scalar): string {
  return typeof held === 'string' ? `'${held}'` : String(held);
}

function chunksOf<T>(items: T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) =>
    items.slice(i * size, (i + 1) * size),
  );
}
