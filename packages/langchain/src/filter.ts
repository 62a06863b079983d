import type { Filter } from '@embedmill/client';

type Scalar = string | number | boolean;

/** embedmill's own conditions, or values of fields: `{ year: 1851, lang: ['en', 'de'] }` requires all of them. */
export type VectorStoreFilter = Filter | Record<string, Scalar | readonly Scalar[]>;

/** Converts a LangChain filter for embedmill. Other forms are refused. */
export function filterOf(filter: VectorStoreFilter | undefined): Filter | undefined {
  if (filter === undefined) return undefined;
  if (typeof filter !== 'object' || filter === null || Array.isArray(filter))
    throw new TypeError(
      'a filter must be an object: a condition of embedmill, or the values that fields must have',
    );
  if (isCondition(filter)) return filter;
  const conditions = Object.entries(filter).map(([field, value]) => conditionOf(field, value));
  const [first, ...others] = conditions;
  return others.length === 0 ? first : { and: conditions };
}

/** `{"field": …}` with a comparison, or a combination of such conditions. */
function isCondition(filter: object): filter is Filter {
  const keys = Object.keys(filter);
  if ('field' in filter) return keys.length > 1;
  return keys.length === 1 && ['and', 'or', 'not'].some((key) => typeof filter[key as never] === 'object');
}

function conditionOf(field: string, value: unknown): Filter {
  if (isScalar(value)) return { field, eq: value };
  if (Array.isArray(value) && value.length > 0 && value.every(isScalar)) return { field, in: value };
  const message = `the filter’s ${field} is ${JSON.stringify(value)}; give a string, a number, a boolean or a list of them, or write a condition: {"field": ${JSON.stringify(field)}, "gte": …}`;
  throw new TypeError(message);
}

function isScalar(value: unknown): value is Scalar {
  return ['string', 'number', 'boolean'].includes(typeof value);
}
