import {
  EmbedmillError,
  geoPointOf,
  instantOf,
  metadataAt,
  type DocumentId,
  type Filter,
  type FilterableType,
  type GeoArea,
  type GeoPoint,
  type Json,
  type Profile,
  type Scalar,
} from '@embedmill/jobs';
import { isInArea } from './geo.ts';
import { hasWords, wordsIn } from './words.ts';

/** The target of a condition: the document's id, or a filterable field of its metadata. */
export type Target =
  { kind: 'document_id'; type: 'keyword' } | { kind: 'metadata'; field: string; type: FilterableType };

export interface Range {
  gte?: number;
  gt?: number;
  lte?: number;
  lt?: number;
}

/**
 * A filter with resolved fields and validated values. `any` holds if any of the record's values at the target is in
 * `values`; `range` if any of them satisfies every bound; `prefix` if any of them begins with it; `words` if together
 * they contain all of these words; `geo` if any of them is in the area. Dates are instants (see datetime.ts); the
 * bounds of an integer field are integers. A record without the field satisfies none of these; `exists` tests for the
 * field.
 */
export type Condition =
  | { op: 'and' | 'or'; of: Condition[] }
  | { op: 'not'; of: Condition }
  | { op: 'any'; target: Target; values: Scalar[] }
  | { op: 'range'; target: Target; range: Range }
  | { op: 'exists'; target: Target }
  | { op: 'prefix'; target: Target; prefix: string }
  | { op: 'words'; target: Target; words: string[] }
  | { op: 'geo'; target: Target; area: GeoArea };

const DOCUMENT_ID: Target = { kind: 'document_id', type: 'keyword' };

/**
 * The condition that a filter states on a collection with these filterable fields.
 *
 * @throws EmbedmillError `invalid_filter`: a field that is not filterable, or a value or an operator that does not fit
 *   its type.
 */
export function conditionOf(filter: Filter, filterable: Profile['filterable']): Condition {
  if ('and' in filter)
    return { op: 'and', of: some(filter.and, 'and').map((part) => conditionOf(part, filterable)) };
  if ('or' in filter)
    return { op: 'or', of: some(filter.or, 'or').map((part) => conditionOf(part, filterable)) };
  if ('not' in filter) return { op: 'not', of: conditionOf(filter.not, filterable) };

  const target = targetOf(filter.field, filterable);
  if ('exists' in filter) return existence(target, filter.exists);
  if ('missing' in filter) return existence(target, !filter.missing);
  if ('prefix' in filter) {
    requireType(filter.field, target, 'keyword', 'prefix');
    return { op: 'prefix', target, prefix: filter.prefix.toWellFormed() };
  }
  if ('text' in filter) {
    requireType(filter.field, target, 'text', 'text');
    const words = [...new Set(wordsIn(filter.text))];
    if (words.length === 0) throw invalid(filter.field, `the text to find in "${filter.field}" has no words`);
    return { op: 'words', target, words };
  }
  if ('geo' in filter) {
    requireType(filter.field, target, 'geo', 'geo');
    return { op: 'geo', target, area: filter.geo };
  }
  if ('eq' in filter) return { op: 'any', target, values: [valueOf(filter.eq, filter.field, target.type)] };
  if ('in' in filter) {
    return {
      op: 'any',
      target,
      values: some(filter.in, filter.field).map((one) => valueOf(one, filter.field, target.type)),
    };
  }
  return { op: 'range', target, range: rangeOf(filter, target.type) };
}

function some<T>(items: T[], where: string): T[] {
  if (items.length === 0) throw invalid(where, `the list of "${where}" is empty; give it at least one entry`);
  return items;
}

/**
 * The values of a record at a target, for comparisons: its value, or each element of a list, without those of another
 * type than the target's. Dates as instants.
 */
export function valuesAt(
  target: Target,
  record: { document_id: DocumentId; metadata: { [key: string]: Json } },
): Scalar[] {
  if (target.kind === 'document_id') return [record.document_id];
  return valuesOf(target.field, record).flatMap((one) => {
    const value = typedValue(one, target.type);
    return value === undefined ? [] : [value];
  });
}

/** Like valuesAt, for a target of type `geo`. */
export function placesAt(target: Target, record: { metadata: { [key: string]: Json } }): GeoPoint[] {
  if (target.kind === 'document_id') return [];
  return valuesOf(target.field, record).flatMap((one) => geoPointOf(one) ?? []);
}

function valuesOf(field: string, { metadata }: { metadata: { [key: string]: Json } }): (Json | undefined)[] {
  const given = metadataAt(metadata, field);
  return Array.isArray(given) ? given : [given];
}

/** Whether a metadata field has a value, and that value if conditions on this type cannot compare it. */
export function misfitAt(
  field: string,
  type: FilterableType,
  metadata: { [key: string]: Json },
): { isThere: boolean; misfit: Json | undefined } {
  const given = metadataAt(metadata, field);
  if (given === undefined || given === null) return { isThere: false, misfit: undefined };
  const fits = (value: Json) =>
    type === 'geo' ? geoPointOf(value) !== undefined : typedValue(value, type) !== undefined;
  const isFit = (Array.isArray(given) ? given : [given]).every(fits);
  return { isThere: true, misfit: isFit ? undefined : given };
}

/** Whether a record satisfies a condition. */
export function satisfies(
  condition: Condition,
  record: { document_id: DocumentId; metadata: { [key: string]: Json } },
): boolean {
  switch (condition.op) {
    case 'and':
      return condition.of.every((part) => satisfies(part, record));
    case 'or':
      return condition.of.some((part) => satisfies(part, record));
    case 'not':
      return !satisfies(condition.of, record);
    case 'any':
      return valuesAt(condition.target, record).some((value) => condition.values.includes(value));
    case 'range':
      return valuesAt(condition.target, record).some(
        (value) => typeof value === 'number' && inRange(value, condition.range),
      );
    case 'exists':
      return condition.target.type === 'geo'
        ? placesAt(condition.target, record).length > 0
        : valuesAt(condition.target, record).length > 0;
    case 'prefix':
      return valuesAt(condition.target, record).some(
        (value) => typeof value === 'string' && value.startsWith(condition.prefix),
      );
    case 'words':
      return hasWords(valuesAt(condition.target, record), condition.words);
    case 'geo':
      return placesAt(condition.target, record).some((place) => isInArea(place, condition.area));
  }
}

function inRange(value: number, { gte, gt, lte, lt }: Range): boolean {
  return (
    (gte === undefined || value >= gte) &&
    (gt === undefined || value > gt) &&
    (lte === undefined || value <= lte) &&
    (lt === undefined || value < lt)
  );
}

function targetOf(field: string, filterable: Profile['filterable']): Target {
  if (field === 'document_id') return DOCUMENT_ID;
  const type = Object.hasOwn(filterable, field) ? filterable[field] : undefined;
  if (type === undefined) {
    const known = ['document_id', ...Object.keys(filterable)].join(', ');
    throw invalid(
      field,
      `the field "${field}" is not filterable in this collection; the filterable fields are: ${known}`,
    );
  }
  return { kind: 'metadata', field, type };
}

function existence(target: Target, exists: boolean): Condition {
  const condition: Condition = { op: 'exists', target };
  return exists ? condition : { op: 'not', of: condition };
}

function requireType(field: string, { type }: Target, wanted: FilterableType, operator: string): void {
  if (type === wanted) return;
  throw invalid(
    field,
    `the field "${field}" has the type ${type}; ${operator} works only with the type ${wanted}`,
  );
}

function valueOf(given: Scalar, field: string, type: FilterableType): Scalar {
  if (type === 'text' || type === 'geo')
    throw invalid(field, `the field "${field}" has the type ${type}; use ${type}, exists or missing`);
  const value = typedValue(given, type);
  if (value === undefined) {
    throw invalid(field, `the field "${field}" has the type ${type}, but is compared with ${show(given)}`);
  }
  return value;
}

function rangeOf(filter: Extract<Filter, { gte?: unknown }>, type: FilterableType): Range {
  if (type === 'keyword' || type === 'boolean' || type === 'text' || type === 'geo') {
    throw invalid(
      filter.field,
      `the field "${filter.field}" has the type ${type}, which has no order; use ${type === 'text' || type === 'geo' ? type : 'eq or in'}`,
    );
  }
  const range: Range = {};
  for (const bound of ['gte', 'gt', 'lte', 'lt'] as const) {
    const given = filter[bound];
    if (given === undefined) continue;
    // An integer is ≥ 1.5 if it is ≥ 2. Rounded here, because stores truncate the fraction.
    const up = bound === 'gte' || bound === 'lt';
    const whole =
      type === 'integer' && typeof given === 'number' ? (up ? Math.ceil(given) : Math.floor(given)) : given;
    const value = typedValue(whole, type);
    if (typeof value !== 'number') {
      throw invalid(
        filter.field,
        `the field "${filter.field}" has the type ${type}, but ${bound} is ${show(given)}`,
      );
    }
    range[bound] = value;
  }
  if (Object.keys(range).length === 0)
    throw invalid(
      filter.field,
      `"${filter.field}" needs one of eq, in, gte, gt, lte, lt, exists, missing, prefix, text, geo`,
    );
  return range;
}

function typedValue(value: Json | undefined, type: FilterableType): Scalar | undefined {
  switch (type) {
    case 'keyword':
    case 'text':
      return typeof value === 'string' ? value.toWellFormed() : undefined;
    case 'geo':
      return undefined;
    case 'integer':
      return typeof value === 'number' && Number.isSafeInteger(value) ? value + 0 : undefined;
    case 'float':
      return typeof value === 'number' && Number.isFinite(value) ? value + 0 : undefined;
    case 'boolean':
      return typeof value === 'boolean' ? value : undefined;
    case 'datetime':
      return typeof value === 'string' ? instantOf(value) : undefined;
  }
}

function show(value: unknown): string {
  return `the ${typeof value} ${JSON.stringify(value).slice(0, 100)}`;
}

function invalid(field: string, message: string): EmbedmillError {
  return new EmbedmillError('invalid_filter', message, { details: [{ path: field, message }] });
}
