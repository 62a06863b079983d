import {
  EmbedmillError,
  exactNumber,
  parseJson,
  structureSchema,
  type Columns,
  type DocumentStructure,
  type FilterableType,
  type Profile,
  type SourceEncoding,
} from '@embedmill/jobs';
import { RowFault, ValueFault } from './row-fault.ts';

/**
 * Rows of values in named columns, in batches. A value is JSON, or a type that its format has in addition: large
 * integers, bytes.
 */
export interface Table {
  columns: readonly string[];
  rows: AsyncIterable<TableRow[]>;
}

/** A row's values, or why they are missing; null for an empty row. */
export type TableRow = readonly unknown[] | RowFault | null;

/** The fields of a document that one column provides. */
export const FIELDS = ['id', 'text', 'title', 'image', 'video', 'tenant', 'vector', 'deleted'] as const;
/** Fields that a column provides only if configured, because many tables have a metadata column with this name. */
const SAID_FIELDS = ['source'] as const;
/** The fields of documents, and the column for each. */
export function fieldColumns(
  columns: Columns | undefined,
): (readonly [field: (typeof FIELDS | typeof SAID_FIELDS)[number], column: string])[] {
  const said = SAID_FIELDS.flatMap((field) => {
    const column = columns?.[field];
    return column === undefined ? [] : [[field, column] as const];
  });
  return [...FIELDS.map((field) => [field, columns?.[field] ?? field] as const), ...said];
}

/** The column that may contain a text's structure, as in exports. */
const STRUCTURE = 'structure';
/** `metadata.year` means the metadata field `year`. */
const METADATA_PREFIX = 'metadata.';

type Document = Record<string, unknown>;

/** Whether a table's column becomes part of a document. */
export function wantedColumns(columns: Columns | undefined): (there: readonly string[]) => readonly string[] {
  const { metadata = 'rest', ...named } = columns ?? {};
  if (metadata === 'rest') return (there) => there;
  const wanted = new Set<string | undefined>([...FIELDS, STRUCTURE, ...Object.values(named), ...metadata]);
  return (there) => there.filter((name) => wanted.has(name));
}

/**
 * Converts rows to the documents that `parseDocument` expects: named columns become fields, the others (or those in
 * `metadata`) metadata. Empty values are omitted, except the id and the text, whose absence is the document's own
 * fault. Texts in metadata become numbers if the profile filters on them as numbers, and lists if they are separated. A
 * row with an unreadable value becomes a fault with its number. Errors: `source_unreadable`, which names the columns,
 * if one is missing or duplicated.
 */
export function documentsOf(
  names: readonly string[],
  { columns, listSeparator }: Pick<SourceEncoding, 'columns' | 'listSeparator'>,
  { filterable }: Pick<Profile, 'filterable'>,
): (row: readonly unknown[], number: number) => Document | RowFault {
  const places = new Map<string, number>();
  for (const [at, name] of names.entries()) {
    if (name !== '' && places.has(name))
      throw unreadable(`the column ${JSON.stringify(name)} occurs twice`, names);
    places.set(name, at);
  }
  const taken = new Set<number>();
  const fields: [field: keyof Columns, at: number][] = [];
  for (const [field, name] of fieldColumns(columns)) {
    const at = places.get(name);
    if (at === undefined && columns?.[field] === undefined) continue;
    if (at === undefined)
      throw unreadable(`there is no column ${JSON.stringify(name)} for the ${field}`, names);
    fields.push([field, at]);
    taken.add(at);
  }
  const has = (field: string) => fields.some(([one]) => one === field);
  if (!has('id')) throw unreadable('there is no column "id"', names);
  if (!['text', 'image', 'video', 'vector', 'deleted'].some(has))
    throw unreadable('there is no column "text"', names);

  const rest = columns?.metadata ?? 'rest';
  // A column without a name contains the row numbers that pandas writes.
  const chosen = rest === 'rest' ? names.filter((name, at) => name !== '' && !taken.has(at)) : rest;
  const metadata = chosen.map((name) => {
    const at = places.get(name);
    if (at === undefined)
      throw unreadable(`there is no column ${JSON.stringify(name)} for the metadata`, names);
    const key = name.startsWith(METADATA_PREFIX) ? name.slice(METADATA_PREFIX.length) : name;
    return { key, at, type: Object.hasOwn(filterable, key) ? filterable[key] : undefined };
  });
  const structureAt = places.get(STRUCTURE);
  const metadataValue = (value: unknown, type: FilterableType | undefined): unknown => {
    if (typeof value !== 'string') return value;
    if (listSeparator === undefined || !value.includes(listSeparator)) return typed(value, type);
    const entries = value.split(listSeparator).map((entry) => entry.trim());
    return entries.filter((entry) => entry !== '').map((entry) => typed(entry, type));
  };

  const documentOf = (valueAt: (at: number) => unknown): Document => {
    const document = fields.flatMap(([field, at]): [string, unknown][] => {
      const value = valueAt(at);
      const isNeeded = field === 'id' || field === 'text';
      if (isEmpty(value) && !isNeeded) return [];
      const isFlag = field === 'deleted' && typeof value === 'string';
      return [[field, isFlag ? typed(value.trim(), 'boolean') : value]];
    });
    const structure = structureAt === undefined ? undefined : structureIn(valueAt(structureAt));
    const kept = metadata.flatMap(({ key, at, type }): [string, unknown][] => {
      if (at === structureAt && structure !== undefined) return [];
      const value = valueAt(at);
      return isEmpty(value) ? [] : [[key, metadataValue(value, type)]];
    });
    // From entries, so that a column "__proto__" is a key like any other, and refused as one.
    return Object.fromEntries([
      ...document,
      ...(structure === undefined ? [] : [[STRUCTURE, structure] as const]),
      ...(kept.length > 0 ? [['metadata', withFields(nested(kept), filterable)] as const] : []),
    ]);
  };
  return (row, number) => {
    let current = 0;
    const valueAt = (at: number) => jsonOf(row[(current = at)]);
    try {
      return documentOf(valueAt);
    } catch (error) {
      if (!(error instanceof ValueFault)) throw error;
      const message = `row ${number}, column ${JSON.stringify(names[current])}: ${error.message}`;
      return new RowFault(error.code, message);
    }
  };
}

/** A column "metadata" with objects, or their JSON, is merged with the other metadata columns. */
function nested(kept: [string, unknown][]): Document {
  return Object.fromEntries(
    kept.flatMap(([key, value]): [string, unknown][] => {
      const whole = key === 'metadata' ? objectIn(value) : undefined;
      return whole === undefined ? [[key, value]] : Object.entries(whole);
    }),
  );
}

/** A column "structure" with any other content is metadata. */
function structureIn(value: unknown): DocumentStructure | undefined {
  return structureSchema.safeParse(objectIn(value)).data;
}

function objectIn(value: unknown): object | undefined {
  let found = value;
  if (typeof value === 'string' && value.startsWith('{')) {
    try {
      found = parseJson(value);
    } catch {
      return undefined;
    }
  }
  return typeof found === 'object' && found !== null && !Array.isArray(found) ? found : undefined;
}

/** A column `author.name` is the field `name` of the object `author` if the profile filters by it. */
function withFields(metadata: Document, filterable: Profile['filterable']): Document {
  let document = metadata;
  for (const field in filterable) {
    if (!field.includes('.') || !Object.hasOwn(document, field)) continue;
    const { [field]: value, ...others } = document;
    document = put(others, field.split('.'), value);
  }
  return document;
}

function put(object: Document, [key = '', ...path]: string[], value: unknown): Document {
  const inner = Object.hasOwn(object, key) ? object[key] : undefined;
  const holder = typeof inner === 'object' && inner !== null && !Array.isArray(inner) ? inner : {};
  return { ...object, [key]: path.length === 0 ? value : put(holder as Document, path, value) };
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || value === '';
}

/** A value that cannot be converted stays unchanged, so that the document's check reports it. */
function typed(value: string, type: FilterableType | undefined): string | number | boolean {
  switch (type) {
    case 'integer':
    case 'float': {
      const text = value.trim();
      const number = text === '' ? Number.NaN : Number(text);
      if (type === 'integer' && !Number.isSafeInteger(number)) return value;
      return Number.isFinite(number) ? number : value;
    }
    case 'boolean':
      return /^true$/i.test(value) ? true : /^false$/i.test(value) ? false : value;
    case 'keyword':
    case 'text':
    case 'datetime':
    case 'geo':
    case undefined:
      return value;
  }
}

/** Converts a value to JSON: numbers that a double cannot represent become text, bytes base64, and NaN is omitted. */
function jsonOf(value: unknown): unknown {
  switch (typeof value) {
    case 'bigint':
      return exactNumber(String(value));
    case 'number':
      if (Math.abs(value) <= Number.MAX_SAFE_INTEGER) return value;
      return Number.isFinite(value) ? exactNumber(String(value)) : null;
    case 'object':
      if (value === null) return null;
      if (value instanceof ValueFault) throw value;
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
  const message = `${what}; the columns are ${shown === '' ? 'none' : shown}; map them with "columns"`;
  return new EmbedmillError('source_unreadable', message);
}
