import type { z } from 'zod';
import type { DocumentLimits, DocumentScope } from './document.ts';
import type { ErrorCode } from './errors.ts';
import type { Json } from './json.ts';
import { faultInMetadata, MAX_DEPTH, type MetadataFault } from './metadata.ts';
import { metadataAt } from './metadata-field.ts';
import type { Profile } from './profile.ts';

/** What is wrong with a document, and where: `path` is a JSON pointer without its leading slash. */
export interface DocumentFault {
  code: ErrorCode;
  path: string;
  message: string;
}

/** A document's fields as they were submitted. */
export type Fields = Record<string, unknown>;

const NUL = String.fromCharCode(0);
const FORBIDDEN_KEY: DocumentFault = {
  code: 'forbidden_key',
  path: '',
  message: 'the key "__proto__" is not allowed; rename it',
};
/** The fields allowed on a line that deletes a document. */
const TOMBSTONE_FIELDS: readonly string[] = ['id', 'tenant', 'source', 'deleted'];

export function notAnObject(value: unknown): DocumentFault {
  const kind = value === null ? 'null' : Array.isArray(value) ? 'an array' : `a ${typeof value}`;
  return { code: 'malformed_json', path: '', message: `a document is a JSON object; this is ${kind}` };
}

export function faultOfKeys(value: object): DocumentFault | undefined {
  return Object.hasOwn(value, '__proto__') ? FORBIDDEN_KEY : undefined;
}

export function faultOfMetadata(
  { metadata }: Fields,
  { metadataBytes }: DocumentLimits,
): DocumentFault | undefined {
  if (typeof metadata !== 'object' || metadata === null || Array.isArray(metadata)) return undefined;
  const fault = faultInMetadata(metadata, metadataBytes);
  return fault && saidOf(fault, metadataBytes);
}

/** Fields that a document cannot be without. */
export function faultOfLack(fields: Fields, needsText: boolean): DocumentFault | undefined {
  if (fields['id'] === undefined || fields['id'] === '') {
    const message = 'the field "id" is missing or empty; give every document an id';
    return { code: 'missing_id', path: 'id', message };
  }
  if (needsText && fields['text'] === undefined) {
    const message =
      'the field "text" is missing; a document needs a text, an image, a video or a vector of its own';
    return { code: 'missing_text', path: 'text', message };
  }
  return undefined;
}

/** A point from the list of points is a document only if the document has no other chunks. */
export function faultOfPart({ chunk, chunks }: Fields): DocumentFault | undefined {
  if (typeof chunk !== 'number' || typeof chunks !== 'number' || chunks <= 1) return undefined;
  const message = `this is one of ${chunks} chunks of a document, as the list of points returns them; submit the whole document, as GET …/documents/{id} returns it`;
  return { code: 'invalid_document', path: 'chunk', message };
}

/** A tombstone has nothing to store; empty fields are allowed, because a table has a cell for the text in each row. */
export function faultOfTombstone(fields: Fields): DocumentFault | undefined {
  const others = Object.keys(fields).filter((field) => !TOMBSTONE_FIELDS.includes(field));
  const path = others.find((field) => fields[field] !== '');
  if (path === undefined) return undefined;
  const message = `the line has "deleted": true together with ${others.join(', ')}; remove these to delete the document, or remove "deleted" to store it`;
  return { code: 'invalid_document', path, message };
}

/** The fields of a tombstone that has no fault. */
export function tombstoneFields(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([field]) => TOMBSTONE_FIELDS.includes(field)));
}

/** The first thing that the schema refused. */
export function faultOfSchema({ issues: [issue] }: z.ZodError): DocumentFault {
  const path = issue?.path.join('/') ?? '';
  const where = path === '' ? '' : `${path}: `;
  const advice =
    issue?.code === 'unrecognized_keys'
      ? '; put custom fields under "metadata", or set metadata to "rest"'
      : '';
  return { code: 'invalid_document', path, message: `${where}${issue?.message ?? ''}${advice}` };
}

export function faultOfUnicode(
  strings: readonly (readonly [path: string, string: string | undefined])[],
): DocumentFault | undefined {
  for (const [path, string = ''] of strings) {
    if (!string.isWellFormed()) {
      const message = `${path} has a lone surrogate (half of a UTF-16 pair); remove it`;
      return { code: 'invalid_unicode', path, message };
    }
    if (string.includes(NUL)) {
      const message = `${path} has a NUL (U+0000) at ${string.indexOf(NUL)}; remove it`;
      return { code: 'invalid_unicode', path, message };
    }
  }
  return undefined;
}

export function faultOfEmptyText(text: string, needsText: boolean): DocumentFault | undefined {
  if (!needsText || text.trim() !== '') return undefined;
  return { code: 'empty_text', path: 'text', message: 'the text is empty or contains only white space' };
}

/** A document may only belong to the job's tenant, and in a snapshot only to the job's source. */
export function faultOfScope(
  { tenant, source }: { tenant?: string | undefined; source?: string | undefined },
  { tenant: bound, mode, sourceName }: DocumentScope,
): DocumentFault | undefined {
  if (bound !== undefined && tenant !== undefined && tenant !== bound) {
    const message = `the document belongs to the tenant ${JSON.stringify(tenant)}, but the job may write only documents of ${JSON.stringify(bound)}; leave "tenant" out`;
    return { code: 'foreign_tenant', path: 'tenant', message };
  }
  if (mode === 'snapshot' && source !== sourceName) {
    const its =
      sourceName === undefined ? 'a source without a name' : `the source ${JSON.stringify(sourceName)}`;
    const message = `the document belongs to the source ${JSON.stringify(source)}, but the job is a snapshot of ${its}; set the snapshot's sourceName, or submit the document in another job`;
    return { code: 'foreign_source', path: 'source', message };
  }
  return undefined;
}

/** A value whose type is not the one that the profile filters by. */
export function faultOfType(
  metadata: { readonly [key: string]: Json },
  field: string,
  filterable: Profile['filterable'],
): DocumentFault {
  const path = `metadata/${field.replaceAll('.', '/')}`;
  const given = JSON.stringify(metadataAt(metadata, field));
  const message = `${path} must be of type ${filterable[field]} (or a list of it), but is ${given?.slice(0, 100)}`;
  return { code: 'metadata_type', path, message };
}

function saidOf(fault: MetadataFault, metadataBytes: number): DocumentFault {
  switch (fault.kind) {
    case 'depth': {
      const message = `nested deeper than ${MAX_DEPTH} levels`;
      return { code: 'invalid_document', path: 'metadata', message };
    }
    case 'key':
      return FORBIDDEN_KEY;
    case 'size': {
      const message = `the metadata has more than the allowed ${metadataBytes} bytes (EMBEDMILL_API_METADATA_BYTES), because it is stored with each chunk; put searchable content into the text`;
      return { code: 'metadata_too_large', path: 'metadata', message };
    }
    case 'number': {
      const message = `${fault.path} is a number that JSON cannot represent`;
      return { code: 'invalid_document', path: fault.path, message };
    }
    case 'surrogate': {
      const message = `${fault.path} has a lone surrogate (half of a UTF-16 pair); remove it`;
      return { code: 'invalid_unicode', path: fault.path, message };
    }
    case 'nul': {
      const message = `${fault.path} has a NUL (U+0000); remove it`;
      return { code: 'invalid_unicode', path: fault.path, message };
    }
  }
}
