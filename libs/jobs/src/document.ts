import { z } from 'zod';
import { MOST_DIMS, vectorNumbers } from './document-vector.ts';
import { EmbedmillError, type ErrorCode } from './errors.ts';
import { DEFAULT_TENANT, type DocumentId, type TenantId } from './ids.ts';
import { parseImageReference } from './image-reference.ts';
import { jsonSchema, type Json } from './json.ts';
import { faultInMetadata, MAX_DEPTH, METADATA_BYTES, typedMetadata, type MetadataFault } from './metadata.ts';
import { metadataAt } from './metadata-field.ts';
import type { Profile } from './profile.ts';
import { sourceNameSchema, type SnapshotOptions } from './snapshot.ts';
import { spokenHead, structureSchema, type DocumentStructure } from './structure.ts';

/** Of an image as base64, what the largest image comes to; a line has room for it. */
const MAX_IMAGE_CHARACTERS = 28 * 1024 * 1024;
const NUL = String.fromCharCode(0);

/** What a user submits: one line of NDJSON, or one entry of an inline array. */
export const documentSchema = z.strictObject({
  id: z
    .union([z.string().min(1).max(512), z.int()])
    .transform(String)
    .meta({
      description: 'Unique in the collection (and tenant); submitting it again replaces the document.',
    }),
  text: z.string().optional().meta({
    description: 'What is embedded and returned by search. With an image, it is not embedded.',
  }),
  image: z.string().min(1).max(MAX_IMAGE_CHARACTERS).optional().meta({
    description:
      'A picture, embedded in place of the text: a data URI, an http(s) URL, or a path from the source’s folder. Needs a model that reads images.',
  }),
  video: z.string().min(1).max(4096).optional().meta({
    description:
      'A video, as a path from the source’s folder: what it shows every few seconds is embedded, each a chunk.',
  }),
  title: z
    .string()
    .max(4096)
    .optional()
    .meta({ description: 'Embedded in front of every chunk of the text.' }),
  metadata: z
    .record(z.string(), jsonSchema)
    .optional()
    .meta({ description: 'Returned by search; fields of the profile’s `filterable` can be filtered on.' }),
  tenant: z.string().min(1).max(128).optional().meta({ description: 'Whose document it is.' }),
  vector: z.array(z.number()).min(1).max(MOST_DIMS).optional().meta({
    description:
      'Its dense vector, of the collection’s model and size, stored as it is in place of embedding the text: one chunk.',
  }),
  source: sourceNameSchema.optional().meta({
    description: 'What it is a part of, such as a site or a folder; a snapshot is of one source.',
  }),
  structure: structureSchema.optional(),
  deleted: z.boolean().optional().meta({
    description:
      'True: the document of this id is deleted. Such a line has an id, and a tenant where one is named, and nothing else.',
  }),
});

/** What stands on a line that deletes a document. */
const TOMBSTONE_FIELDS: readonly string[] = ['id', 'tenant', 'source', 'deleted'];

/** What the API prints of a stored document beside its fields, and what is passed over where it is submitted again. */
const PRINTED = ['point', 'chunk', 'chunks', 'dense'] as const;

/**
 * A text, a picture (an image, or a video's frames), or both. With a picture, the dense vector is the picture’s alone;
 * the text goes to the sparse vectors and to what search returns.
 */
export interface Document {
  id: DocumentId;
  /** Empty where there is a picture only. */
  text: string;
  /** As submitted; `parseImageReference` reads it, and has found it well formed. */
  image: string | undefined;
  /** A path. */
  video: string | undefined;
  title: string | undefined;
  metadata: { [key: string]: Json };
  tenant: TenantId;
  /** That it brought along, not normalised; its size was not looked at. */
  vector?: readonly number[] | undefined;
  /** What it is a part of, where that was said. */
  source?: string | undefined;
  /** How its text is built, where that is known. */
  structure?: DocumentStructure | undefined;
}

/** A line in place of a document's: the document of this id is to be deleted. */
export interface Tombstone {
  deleted: true;
  id: DocumentId;
  tenant: TenantId;
  /** Where it is not deleted at the sequence of the job. */
  sequence?: number | undefined;
}

/** As it is checked: metadata has been walked by then, so that it is only looked at once. */
const checkedSchema = documentSchema.extend({
  metadata: z.custom<{ [key: string]: Json }>(isObject, 'must be an object').optional(),
  vector: z
    .unknown()
    .transform((given, context) => {
      const numbers = vectorNumbers(given);
      if (numbers !== undefined) return numbers;
      context.addIssue({ code: 'custom', message: `must be a list of 1 to ${MOST_DIMS} finite numbers` });
      return z.NEVER;
    })
    .optional(),
});

/** What a job says of all its documents. */
export interface DocumentScope extends Pick<SnapshotOptions, 'mode' | 'sourceName'> {
  /** The only tenant whose documents may come; it is that of documents that name none. */
  tenant?: TenantId | undefined;
  /** Its lines were written by embedmill, and a tombstone may have its sequence. */
  sequenced?: boolean | undefined;
}

export interface DocumentLimits {
  /** Of its metadata as JSON. */
  metadataBytes: number;
}

const DEFAULT_LIMITS: DocumentLimits = { metadataBytes: METADATA_BYTES };

export type DocumentParse =
  | { ok: true; document: Document }
  | { ok: true; tombstone: Tombstone }
  | { ok: false; id: string | undefined; error: EmbedmillError };

/**
 * A parsed JSON value as a document of a collection with this profile, or as the tombstone of one, or what is wrong with it as an error
 * of the catalogue, with the document's id where it has one.
 *
 * @param job what it says of documents that do not say it themselves
 */
export function parseDocument(
  value: unknown,
  profile: Pick<Profile, 'filterable'>,
  { tenant: bound, sourceName, mode, sequenced }: DocumentScope = {},
  limits: DocumentLimits = DEFAULT_LIMITS,
): DocumentParse {
  const id = documentIdOf(value);
  const fail = (code: ErrorCode, path: string, message: string): DocumentParse => ({
    ok: false,
    id,
    error: new EmbedmillError(code, message, { details: [{ path, message }] }),
  });

  if (!isObject(value)) {
    return fail('malformed_json', '', `a document is a JSON object; this is ${describe(value)}`);
  }
  if (Object.hasOwn(value, '__proto__')) {
    return fail('forbidden_key', '', 'the key "__proto__" is not allowed; rename it');
  }
  const fields = fieldsIn(value);
  if (isObject(fields['metadata'])) {
    const fault = faultInMetadata(fields['metadata'], limits.metadataBytes);
    if (fault !== undefined) {
      const { code, path, message } = saidOf(fault, limits);
      return fail(code, path, message);
    }
  }
  if (fields['id'] === undefined || fields['id'] === '') {
    return fail('missing_id', 'id', 'the field "id" is missing or empty; give every document an id');
  }
  const hasPicture = fields['image'] !== undefined || fields['video'] !== undefined;
  // Other values of `deleted` are faults of their own.
  const isDocument = fields['deleted'] === undefined || fields['deleted'] === false;
  const needsText = isDocument && !hasPicture && fields['vector'] === undefined;
  if (needsText && fields['text'] === undefined) {
    return fail(
      'missing_text',
      'text',
      'the field "text" is missing; a document needs a text, an image, a video or a vector of its own',
    );
  }

  const parts = partsOf(value);
  if (parts > 1) {
    const message = `this is one of ${parts} chunks of a document, as the list of points has them; submit the whole document, as GET …/documents/{id} prints it`;
    return fail('invalid_document', 'chunk', message);
  }
  const sequence = sequenced === true ? (fields['sequence'] as number | undefined) : undefined;
  if (fields['deleted'] === true) {
    if (sequenced === true) delete fields['sequence'];
    const others = Object.keys(fields).filter((field) => !TOMBSTONE_FIELDS.includes(field));
    // A table has a cell for the text in each row.
    const [first] = others.filter((field) => fields[field] !== '');
    if (first !== undefined) {
      const message = `the line says "deleted": true, and has ${others.join(', ')} beside it; leave these out to delete the document, or "deleted" to store it`;
      return fail('invalid_document', first, message);
    }
    for (const field of others) delete fields[field];
  }
  const parsed = checkedSchema.safeParse(fields);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const path = issue?.path.join('/') ?? '';
    const unknown =
      issue?.code === 'unrecognized_keys'
        ? '; put fields of your own under "metadata", or say that metadata is "rest"'
        : '';
    return fail(
      'invalid_document',
      path,
      `${path === '' ? '' : `${path}: `}${issue?.message ?? ''}${unknown}`,
    );
  }
  const { text = '', image, video, title, metadata, tenant, vector, structure, deleted } = parsed.data;
  const source = parsed.data.source ?? sourceName;
  for (const [path, string] of [
    ['id', parsed.data.id],
    ['text', text],
    ['image', image ?? ''],
    ['video', video ?? ''],
    ['title', title ?? ''],
    ['tenant', tenant ?? ''],
  ] as const) {
    if (!string.isWellFormed()) {
      return fail('invalid_unicode', path, `${path} has a lone surrogate (half of a UTF-16 pair); remove it`);
    }
    if (string.includes(NUL)) {
      return fail('invalid_unicode', path, `${path} has a NUL (U+0000) at ${string.indexOf(NUL)}; remove it`);
    }
  }
  if (needsText && text.trim() === '') {
    return fail('empty_text', 'text', 'the text is empty or white space only');
  }
  if (bound !== undefined && tenant !== undefined && tenant !== bound) {
    const message = `the document is of the tenant ${JSON.stringify(tenant)}, but the job may write only those of ${JSON.stringify(bound)}; leave "tenant" out`;
    return fail('foreign_tenant', 'tenant', message);
  }
  if (mode === 'snapshot' && source !== sourceName) {
    const its = sourceName === undefined ? 'that has no name' : JSON.stringify(sourceName);
    const message = `the document is of the source ${JSON.stringify(source)}, but the job is a snapshot of one ${its}; name the snapshot's (sourceName), or submit the document apart`;
    return fail('foreign_source', 'source', message);
  }
  const key = {
    id: parsed.data.id as DocumentId,
    tenant: (tenant ?? bound ?? DEFAULT_TENANT) as TenantId,
  };
  if (deleted === true) return { ok: true, tombstone: { deleted, id: key.id, tenant: key.tenant, sequence } };
  if (image !== undefined && video !== undefined) {
    return fail('invalid_document', 'video', 'a document has an image or a video, not both; make it two');
  }
  if (image !== undefined) {
    const reference = parseImageReference(image);
    if (!reference.ok) return fail('invalid_document', 'image', `image: ${reference.message}`);
  }
  const typed = typedMetadata(metadata ?? {}, profile.filterable);
  if (!typed.ok) {
    const { field } = typed;
    const path = `metadata/${field.replaceAll('.', '/')}`;
    const given = JSON.stringify(metadataAt(metadata ?? {}, field));
    const message = `${path} must be of type ${profile.filterable[field]} (or a list of it), but is ${given?.slice(0, 100)}`;
    return fail('metadata_type', path, message);
  }
  return {
    ok: true,
    document: {
      id: key.id,
      text,
      image,
      video,
      title: title === undefined || title.trim() === '' ? undefined : title,
      metadata: typed.metadata,
      tenant: key.tenant,
      ...(vector !== undefined && { vector }),
      ...(source !== undefined && { source }),
      ...(structure !== undefined && { structure }),
    },
  };
}

/**
 * What is read of a text: its document's title stands in front, and the headings that it stands under, as they do for the
 * dense model.
 */
export function spokenText({
  title,
  text,
  structure,
}: {
  title?: string | null | undefined;
  text: string;
  structure?: { headings?: readonly string[]; apart?: boolean; sections?: unknown } | undefined;
}): string {
  const headings = structure?.apart === true ? undefined : structure?.headings;
  if (headings === undefined) return title === undefined || title === null ? text : `${title} ${text}`;
  const head = spokenHead(title, headings);
  return head === undefined ? text : `${head} ${text}`;
}

/** The id that a parsed value claims, before anything else about it is known to be right. */
export function documentIdOf(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || !('id' in value)) return undefined;
  const { id } = value;
  if (typeof id === 'string' && id !== '') return id;
  return Number.isSafeInteger(id) ? String(id) : undefined;
}

/** The fields that say something: null is the same as absent, and what only the API prints is left out. */
function fieldsIn(value: object): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  for (const [field, given] of Object.entries(value) as [string, unknown][]) {
    if (given === null || (PRINTED as readonly string[]).includes(field)) continue;
    fields[field] = given;
  }
  return fields;
}

/** How many chunks a document has of which this is one, as the list of points says it; 1 for all other documents. */
function partsOf(value: object): number {
  const { chunk, chunks } = value as Record<string, unknown>;
  return typeof chunk === 'number' && typeof chunks === 'number' ? chunks : 1;
}

function saidOf(
  fault: MetadataFault,
  { metadataBytes }: DocumentLimits,
): { code: ErrorCode; path: string; message: string } {
  switch (fault.kind) {
    case 'depth': {
      const message = `nested deeper than ${MAX_DEPTH} levels`;
      return { code: 'invalid_document', path: 'metadata', message };
    }
    case 'key': {
      const message = 'the key "__proto__" is not allowed; rename it';
      return { code: 'forbidden_key', path: '', message };
    }
    case 'size': {
      const message = `the metadata has more than the ${metadataBytes} bytes that are taken (EMBEDMILL_METADATA_BYTES), as it is stored with each chunk; what is to be searched belongs in the text`;
      return { code: 'metadata_too_large', path: 'metadata', message };
    }
    case 'number': {
      const message = `${fault.path} is no number that JSON has`;
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

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function describe(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'an array' : `a ${typeof value}`;
}
