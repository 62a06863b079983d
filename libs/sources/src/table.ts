import { EmbedmillError, type Columns, type FilterableType, type Profile } from '@embedmill/jobs';

/** Rows of values under named columns. A value is JSON, or what its format has beside it: dates, large integers, bytes. */
export interface Table {
  columns: readonly string[];
  rows: AsyncIterable<readonly unknown[]>;
}

export const FIELDS = ['id', 'text', 'title', 'image', 'video', 'tenant'] as const;
/** `metadata.year` is the metadata field `year`. */
const METADATA_PREFIX = 'metadata.';

type Document = Record<string, unknown>;

/**
 * Makes rows into documents, as `parseDocument` takes them: named columns are fields, the others (or those in
 * `metadata`) metadata. Empty values are left out, but for the id and the text, whose lack is the document's own fault.
 * Texts in metadata become numbers and booleans where the profile filters on them. Errors: `source_unreadable` that
 * names the columns, where one is missing or comes twice.
 */
export function documentsOf(
  names: readonly string[],
  columns: Columns | undefined,
  { filterable }: Pick<Profile, 'filterable'>,
): (row: readonly unknown[]) => Document {
  const twice = names.find((name, n) => names.indexOf(name) !== n);
  if (twice !== undefined) throw unreadable(`the column ${JSON.stringify(twice)} comes twice`, names);
  const taken = new Set<number>();
  const fields: [field: (typeof FIELDS)[number], at: number][] = [];
  for (const field of FIELDS) {
    const name = columns?.[field] ?? field;
    const at = names.indexOf(name);
    if (at === -1 && columns?.[field] === undefined) continue;
    if (at === -1) throw unreadable(`there is no column ${JSON.stringify(name)} for the ${field}`, names);
    fields.push([field, at]);
    taken.add(at);
  }
  const has = (field: string) => fields.some(([one]) => one === field);
  if (!has('id')) throw unreadable('there is no column "id"', names);
  if (!has('text') && !has('image') && !has('video')) throw unreadable('there is no column "text"', names);

  const metadata = (columns?.metadata ?? names.filter((_, at) => !taken.has(at))).map((name) => {
    const at = names.indexOf(name);
    if (at === -1) throw unreadable(`there is no column ${JSON.stringify(name)} for the metadata`, names);
    const key = name.startsWith(METADATA_PREFIX) ? name.slice(METADATA_PREFIX.length) : name;
    return { key, at, type: Object.hasOwn(filterable, key) ? filterable[key] : undefined };
  });

  return (row) => {
    const document = fields.flatMap(([field, at]): [string, unknown][] => {
      const value = jsonOf(row[at]);
      const isNeeded = field === 'id' || field === 'text';
      return isEmpty(value) && !isNeeded ? [] : [[field, value]];
    });
    const kept = metadata.flatMap(({ key, at, type }): [string, unknown][] => {
      const value = jsonOf(row[at]);
      return isEmpty(value) ? [] : [[key, typeof value === 'string' ? typed(value, type) : value]];
    });
    // From entries, so that a column "__proto__" is a key like any other, and refused as one.
    return Object.fromEntries([
      ...document,
      ...(kept.length > 0 ? [['metadata', nested(kept)] as const] : []),
    ]);
  };
}

/** A column "metadata" that holds whole objects is the metadata, beside the other columns. */
function nested(kept: [string, unknown][]): Document {
  const entries = kept.flatMap(([key, value]): [string, unknown][] =>
    key === 'metadata' && typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.entries(value)
      : [[key, value]],
  );
  return Object.fromEntries(entries);
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || value === '';
}

/** What cannot be of the type stays as it is, for the document's own check to name it. */
function typed(value: string, type: FilterableType | undefined): string | number | boolean {
  switch (type) {
    case 'integer':
    case 'float': {
      const number = value.trim() === '' ? Number.NaN : Number(value);
      return Number.isFinite(number) ? number : value;
    }
    case 'boolean':
      return /^true$/i.test(value) ? true : /^false$/i.test(value) ? false : value;
    case 'keyword':
    case 'datetime':
    case undefined:
      return value;
  }
}

/** A value as JSON has it: integers beyond 2^53 and dates as text, bytes in base64, NaN as nothing. */
function jsonOf(value: unknown): unknown {
  switch (typeof value) {
    case 'bigint':
      return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
    case 'number':
      return Number.isFinite(value) ? value : null;
    case 'object':
      if (value === null) return null;
      if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
      if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
      if (ArrayBuffer.isView(value)) return Array.from(value as unknown as Iterable<unknown>, jsonOf);
      if (Array.isArray(value)) return value.map(jsonOf);
      return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, jsonOf(inner)]));
    default:
      return value;
  }
}

function unreadable(what: string, names: readonly string[]): EmbedmillError {
  const shown = names
    .slice(0, 30)
    .map((name) => JSON.stringify(name))
    .join(', ');
  const message = `${what}; the columns are ${shown === '' ? 'none' : shown}; say which is which with "columns"`;
  return new EmbedmillError('source_unreadable', message);
}
