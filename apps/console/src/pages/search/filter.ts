import type { Filter, FilterableType } from '../../server/shapes.ts';

export type FieldTypes = Readonly<Record<string, FilterableType>>;

/** The operators of conditions. */
export const OPERATORS = ['is', 'oneOf', 'from', 'to', 'prefix', 'words', 'present', 'absent'] as const;
export type Operator = (typeof OPERATORS)[number];

/** One condition, as entered. */
export interface Condition {
  readonly field: string;
  readonly operator: Operator;
  readonly value: string;
}

/** The document’s id can be filtered by in every collection. */
export const DOCUMENT_ID = 'document_id';

/** The operators for a type. Filters by location are possible only through the API. */
export function operatorsFor(type: FilterableType): readonly Operator[] {
  switch (type) {
    case 'keyword':
      return ['is', 'oneOf', 'prefix', 'present', 'absent'];
    case 'text':
      return ['words', 'present', 'absent'];
    case 'integer':
    case 'float':
      return ['is', 'oneOf', 'from', 'to', 'present', 'absent'];
    case 'datetime':
      return ['is', 'from', 'to', 'present', 'absent'];
    case 'boolean':
      return ['is', 'present', 'absent'];
    case 'geo':
      return ['present', 'absent'];
  }
}

export function typeOf(field: string, types: FieldTypes): FilterableType {
  return types[field] ?? 'keyword';
}

/** The filter that the conditions form together; undefined if none is complete. */
export function filterOf(conditions: readonly Condition[], types: FieldTypes): Filter | undefined {
  const filters = conditions.flatMap((condition): Filter[] => {
    const filter = conditionFilter(condition, typeOf(condition.field, types));
    return filter === undefined ? [] : [filter];
  });
  const [only] = filters;
  return filters.length > 1 ? { and: filters } : only;
}

function conditionFilter({ field, operator, value }: Condition, type: FilterableType): Filter | undefined {
  const given = value.trim();
  if (operator === 'present') return { field, exists: true };
  if (operator === 'absent') return { field, exists: false };
  if (given === '') return undefined;
  switch (operator) {
    case 'is':
      return { field, eq: scalarOf(given, type) };
    case 'oneOf':
      return { field, in: given.split(/[,，]/).map((one) => scalarOf(one.trim(), type)) };
    case 'from':
      return { field, gte: boundOf(given, type) };
    case 'to':
      return { field, lte: boundOf(given, type) };
    case 'prefix':
      return { field, prefix: given };
    case 'words':
      return { field, text: given };
  }
}

function scalarOf(text: string, type: FilterableType): string | number | boolean {
  if (type === 'boolean') return text === 'true';
  return boundOf(text, type);
}

/** A number for a numeric field. An invalid number is sent as it is, and the server says what is wrong with it. */
function boundOf(text: string, type: FilterableType): string | number {
  const isNumber = (type === 'integer' || type === 'float') && text !== '' && Number.isFinite(Number(text));
  return isNumber ? Number(text) : text;
}
