import { hash } from 'node:crypto';
import { EmbedmillError, type Collection, type FilterableType, type Scalar } from '@embedmill/jobs';
import { placesAt, valuesAt, type Target } from '../condition.ts';
import type { PointPayload } from '../store.ts';
import { wordsIn } from '../words.ts';

/**
 * The data for filtering points, in two columns that work for any field, including later ones.
 *
 * `FACTS` is a list of digests, which state that a field has a value, that it has a certain value, or that a text has a
 * certain word. So values need no escaping, and conditions on missing fields need no null, which Milvus compares
 * inconsistently.
 *
 * `RANGES` is JSON. For each ordered field it has the smallest and the largest value, and whether there are several,
 * because Milvus cannot compare lists; for keywords their beginnings, as hexadecimal UTF-8, which sorts like the texts;
 * for places their bounding box.
 */
export const FACTS = 'facts';
export const RANGES = 'ranges';

/** Milvus' maximum length of a list. */
export const MOST_ENTRIES = 4096;
/** The number of hexadecimal digits of a keyword's beginning. */
export const BEGINNING = 128;

export type RangePart = 'least' | 'greatest' | 'several' | 'south' | 'north' | 'west' | 'east';

/** The key of a part of a field's range. */
export function rangeKey(target: Target, part: RangePart): string {
  return `${digest(nameOf(target))}.${part}`;
}

/** The fact that a field has a value. */
export function thereFact(target: Target): string {
  return digest(nameOf(target));
}

/** The fact that a field has this value, or that a text has this word. */
export function valueFact(target: Target, value: Scalar): string {
  return digest(`${nameOf(target)}\0${JSON.stringify(value)}`);
}

export function beginningOf(text: string): string {
  return Buffer.from(text.slice(0, BEGINNING), 'utf8').toString('hex').slice(0, BEGINNING);
}

/**
 * Creates the content of these columns.
 *
 * @throws EmbedmillError `store_rejected` if a record has more values and words than fit into a Milvus list.
 */
export function filterColumnsOf(collection: Collection): (
  payload: Pick<PointPayload, 'document_id' | 'metadata'>,
) => {
  facts: string[];
  ranges: Record<string, Scalar>;
} {
  const targets = filterTargets(collection);
  return (payload) => {
    const facts = new Set<string>();
    const ranges: Record<string, Scalar> = {};
    for (const target of targets) {
      if (target.type === 'geo') {
        const places = placesAt(target, payload);
        if (places.length === 0) continue;
        facts.add(thereFact(target));
        const [lats, lons] = [places.map(({ lat }) => lat), places.map(({ lon }) => lon)];
        ranges[rangeKey(target, 'south')] = Math.min(...lats);
        ranges[rangeKey(target, 'north')] = Math.max(...lats);
        ranges[rangeKey(target, 'west')] = Math.min(...lons);
        ranges[rangeKey(target, 'east')] = Math.max(...lons);
        continue;
      }
      const values = valuesAt(target, payload);
      if (values.length === 0) continue;
      facts.add(thereFact(target));
      const held = target.type === 'text' ? values.flatMap((text) => wordsIn(String(text))) : values;
      for (const value of held) facts.add(valueFact(target, value));
      const ordered = orderedValues(target.type, values);
      const [first] = ordered;
      if (first === undefined || target.kind === 'document_id') continue;
      ranges[rangeKey(target, 'least')] = ordered.reduce((a, b) => (b < a ? b : a), first);
      ranges[rangeKey(target, 'greatest')] = ordered.reduce((a, b) => (b > a ? b : a), first);
      if (ordered.length > 1) ranges[rangeKey(target, 'several')] = 1;
    }
    if (facts.size > MOST_ENTRIES) {
      throw new EmbedmillError(
        'store_rejected',
        `document "${payload.document_id}": its filterable fields have ${facts.size} values and words in total, but Milvus ` +
          `allows at most ${MOST_ENTRIES}. Reduce the filterable values, or use another store.`,
      );
    }
    return { facts: [...facts], ranges };
  };
}

function orderedValues(type: FilterableType, values: Scalar[]): (number | string)[] {
  switch (type) {
    case 'integer':
    case 'float':
    case 'datetime':
      return values.filter((value) => typeof value === 'number');
    case 'keyword':
      return values.map((value) => beginningOf(String(value)));
    case 'boolean':
    case 'text':
    case 'geo':
      return [];
  }
}

function filterTargets({ profile: { filterable } }: Collection): Target[] {
  const fields = Object.entries(filterable).map(([field, type]): Target => ({
    kind: 'metadata',
    field,
    type,
  }));
  return [{ kind: 'document_id', type: 'keyword' }, ...fields];
}

const nameOf = (target: Target): string => (target.kind === 'document_id' ? '' : `m${target.field}`);

/** 132 bits of a text's SHA-256, of letters, digits, "-" and "_". */
function digest(text: string): string {
  return hash('sha256', text, 'base64url').slice(0, 22);
}
