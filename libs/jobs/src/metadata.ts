import { instantOf, wholeOffset } from './datetime.ts';
import type { Json } from './json.ts';
import { isInexactNumber } from './exact-json.ts';
import { geoPointOf, metadataAt, withMetadataAt } from './metadata-field.ts';
import type { FilterableType, Profile } from './profile.ts';

/** How deep metadata may nest. */
export const MAX_DEPTH = 16;
/** The default limit of a document's metadata as JSON, in bytes; it is stored with each chunk. */
export const METADATA_BYTES = 64 * 1024;
/** The walk counts a number as two bytes, but its JSON may be this many times longer. */
const MOST_UNDERCOUNTED = 13;
const NUL = String.fromCharCode(0);

/** What makes a value invalid as metadata. */
export type MetadataFault =
  { kind: 'depth' | 'key' | 'size' } | { kind: 'number' | 'surrogate' | 'nul'; path: string };

/**
 * Finds the fault of a parsed value as metadata in one walk, which ends once the value exceeds `maxBytes` of JSON, whatever
 * its shape.
 */
export function faultInMetadata(metadata: object, maxBytes: number): MetadataFault | undefined {
  let bytes = 0;

  const walk = (holder: object, path: string, depth: number): MetadataFault | undefined => {
    if (depth > MAX_DEPTH) return { kind: 'depth' };
    bytes += 2;
    for (const [key, value] of entriesOf(holder)) {
      if (key === '__proto__') return { kind: 'key' };
      const fault =
        (typeof key === 'string' ? look(key, path) : undefined) ?? inspect(value, path, key, depth);
      if (fault !== undefined) return fault;
    }
    return undefined;
  };
  const inspect = (value: unknown, path: string, key: string | number, depth: number) => {
    bytes += 2;
    if (bytes > maxBytes) return { kind: 'size' } as const;
    if (typeof value === 'string') return look(value, `${path}/${key}`);
    if (typeof value === 'object' && value !== null) return walk(value, `${path}/${key}`, depth + 1);
    if (typeof value === 'number' && !Number.isFinite(value)) {
      return { kind: 'number', path: `${path}/${key}` } as const;
    }
    return undefined;
  };
  const look = (text: string, path: string): MetadataFault | undefined => {
    bytes += text.length;
    if (bytes > maxBytes) return { kind: 'size' };
    if (!text.isWellFormed()) return { kind: 'surrogate', path };
    return text.includes(NUL) ? { kind: 'nul', path } : undefined;
  };

  const fault = walk(metadata, 'metadata', 1);
  if (fault !== undefined || bytes * MOST_UNDERCOUNTED <= maxBytes) return fault;
  return Buffer.byteLength(JSON.stringify(metadata)) > maxBytes ? { kind: 'size' } : undefined;
}

function entriesOf(holder: object): Iterable<[key: string | number, value: unknown]> {
  return Array.isArray(holder) ? holder.entries() : Object.entries(holder);
}

export type TypedMetadata = { ok: true; metadata: { [key: string]: Json } } | { ok: false; field: string };

/**
 * Converts filterable fields of metadata to their types: an integer in a keyword field becomes its text, and a boolean may
 * be written as t, f, 1 or 0. Names the first field that has another type.
 */
export function typedMetadata(
  metadata: { [key: string]: Json },
  filterable: Profile['filterable'],
): TypedMetadata {
  let typed = metadata;
  for (const field in filterable) {
    const type = filterable[field];
    const given = metadataAt(metadata, field);
    if (type === undefined || given === undefined || given === null) continue;
    const value = Array.isArray(given) ? listOf(given, type) : typedValue(given, type);
    if (value === undefined) return { ok: false, field };
    if (value !== given) typed = withMetadataAt(typed, field, value);
  }
  return { ok: true, metadata: typed };
}

function listOf(given: Json[], type: FilterableType): Json[] | undefined {
  const values = given.map((one) => typedValue(one, type));
  if (values.includes(undefined)) return undefined;
  return values.every((value, n) => value === given[n]) ? given : (values as Json[]);
}

/** Undefined if the value cannot have the type. */
function typedValue(value: Json, type: FilterableType): Json | undefined {
  switch (type) {
    case 'keyword':
      if (typeof value === 'string') return value;
      return Number.isSafeInteger(value) ? String(value) : undefined;
    case 'text':
      return typeof value === 'string' ? value : undefined;
    case 'integer':
      return Number.isSafeInteger(value) ? value : undefined;
    case 'float':
      if (typeof value === 'string' && isInexactNumber(value)) return finite(Number(value));
      return typeof value === 'number' ? value : undefined;
    case 'boolean':
      return booleanOf(value);
    case 'datetime':
      return typeof value === 'string' && instantOf(value) !== undefined ? wholeOffset(value) : undefined;
    case 'geo':
      return geoPointOf(value) === undefined ? undefined : value;
  }
}

/** A field of type float stores the double nearest to what was written. */
function finite(value: number): number | undefined {
  return Number.isFinite(value) ? value : undefined;
}

function booleanOf(value: Json): boolean | undefined {
  if (typeof value === 'boolean') return value;
  if (value === 1 || value === 0) return value === 1;
  if (typeof value !== 'string') return undefined;
  const [, yes, no] = /^(?:(t|true|1)|(f|false|0))$/i.exec(value) ?? [];
  return yes !== undefined ? true : no !== undefined ? false : undefined;
}
