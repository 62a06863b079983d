import { z } from 'zod';
import {
  documentSchema,
  type Document,
  type DocumentLimits,
  type DocumentScope,
  type Tombstone,
} from './document.ts';
import {
  faultOfEmptyText,
  faultOfKeys,
  faultOfLack,
  faultOfMetadata,
  faultOfPart,
  faultOfSchema,
  faultOfScope,
  faultOfTombstone,
  faultOfType,
  faultOfUnicode,
  notAnObject,
  tombstoneFields,
  type DocumentFault,
  type Fields,
} from './document-faults.ts';
import { MOST_DIMS, vectorNumbers } from './document-vector.ts';
import { EmbedmillError } from './errors.ts';
import { DEFAULT_TENANT, type DocumentId, type TenantId } from './ids.ts';
import { parseImageReference } from './image-reference.ts';
import type { Json } from './json.ts';
import { METADATA_BYTES, typedMetadata } from './metadata.ts';
import type { Profile } from './profile.ts';

/** What the API adds to a stored document when it prints it; ignored when the document is submitted again. */
const PRINTED: readonly string[] = ['point', 'chunk', 'chunks', 'dense'];
const DEFAULT_LIMITS: DocumentLimits = { metadataBytes: METADATA_BYTES };

/** The schema for checking: metadata was already walked, so it is not walked again. */
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
type Checked = z.output<typeof checkedSchema>;

export type DocumentParse =
  | { ok: true; document: Document }
  | { ok: true; tombstone: Tombstone }
  | { ok: false; id: string | undefined; error: EmbedmillError };

/**
 * Parses a JSON value as a document of a collection with this profile, or as a tombstone. If it is neither, the result
 * is an error of the catalogue, with the document's id if it has one.
 *
 * @param job what it states for documents that do not state it themselves
 */
export function parseDocument(
  value: unknown,
  profile: Pick<Profile, 'filterable'>,
  job: DocumentScope = {},
  limits: DocumentLimits = DEFAULT_LIMITS,
): DocumentParse {
  const read = readDocument(value, profile, job, limits);
  if ('document' in read) return { ok: true, document: read.document };
  if ('tombstone' in read) return { ok: true, tombstone: read.tombstone };
  const { code, path, message } = read.fault;
  const error = new EmbedmillError(code, message, { details: [{ path, message }] });
  return { ok: false, id: documentIdOf(value), error };
}

type Read = { document: Document } | { tombstone: Tombstone } | { fault: DocumentFault };

/** Checks from the cheapest to the dearest: keys and bounds, then the schema, then what its fields say together. */
function readDocument(
  value: unknown,
  { filterable }: Pick<Profile, 'filterable'>,
  job: DocumentScope,
  limits: DocumentLimits,
): Read {
  if (!isObject(value)) return { fault: notAnObject(value) };
  const submitted = fieldsIn(value);
  const needsText = isTextNeeded(submitted);
  const early =
    faultOfKeys(value) ??
    faultOfMetadata(submitted, limits) ??
    faultOfLack(submitted, needsText) ??
    faultOfPart(value as Fields);
  if (early !== undefined) return { fault: early };

  const isTombstone = submitted['deleted'] === true;
  const { fields, sequence } =
    isTombstone && job.sequenced === true
      ? withoutSequence(submitted)
      : { fields: submitted, sequence: undefined };
  const wrong = isTombstone ? faultOfTombstone(fields) : undefined;
  if (wrong !== undefined) return { fault: wrong };
  const parsed = checkedSchema.safeParse(isTombstone ? tombstoneFields(fields) : fields);
  if (!parsed.success) return { fault: faultOfSchema(parsed.error) };

  const { id, text = '', image, video, title, tenant, metadata = {} } = parsed.data;
  const source = parsed.data.source ?? job.sourceName;
  const late =
    faultOfUnicode(Object.entries({ id, text, image, video, title, tenant })) ??
    faultOfEmptyText(text, needsText) ??
    faultOfScope({ tenant, source }, job);
  if (late !== undefined) return { fault: late };
  const key = {
    id: id as DocumentId,
    tenant: (tenant ?? job.tenant ?? DEFAULT_TENANT) as TenantId,
  };
  if (isTombstone) return { tombstone: { deleted: true, id: key.id, tenant: key.tenant, sequence } };

  const unreadable = faultOfPicture(parsed.data);
  if (unreadable !== undefined) return { fault: unreadable };
  const typed = typedMetadata(metadata, filterable);
  if (!typed.ok) return { fault: faultOfType(metadata, typed.field, filterable) };
  return { document: documentOf(parsed.data, key, source, typed.metadata) };
}

function documentOf(
  { text = '', image, video, title, vector, structure }: Checked,
  { id, tenant }: Pick<Document, 'id' | 'tenant'>,
  source: string | undefined,
  metadata: Document['metadata'],
): Document {
  return {
    id,
    text,
    image,
    video,
    title: title === undefined || title.trim() === '' ? undefined : title,
    metadata,
    tenant,
    ...(vector !== undefined && { vector }),
    ...(source !== undefined && { source }),
    ...(structure !== undefined && { structure }),
  };
}

/** The id that a parsed value claims, before anything else about it is known to be right. */
export function documentIdOf(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || !('id' in value)) return undefined;
  const { id } = value;
  if (typeof id === 'string' && id !== '') return id;
  return Number.isSafeInteger(id) ? String(id) : undefined;
}

/** The fields that say something: null counts as absent, and what only the API prints is left out. */
function fieldsIn(value: object): Fields {
  const fields: Fields = {};
  for (const [field, given] of Object.entries(value) as [string, unknown][]) {
    if (given !== null && !PRINTED.includes(field)) fields[field] = given;
  }
  return fields;
}

/** Documents without a text have a picture or a vector. A line with another value of `deleted` than false is no document. */
function isTextNeeded({ deleted, image, video, vector }: Fields): boolean {
  const isDocument = deleted === undefined || deleted === false;
  return isDocument && image === undefined && video === undefined && vector === undefined;
}

/** A tombstone that embedmill wrote may carry the sequence at which it deletes. */
function withoutSequence({ sequence, ...fields }: Fields): { fields: Fields; sequence: number | undefined } {
  return { fields, sequence: sequence as number | undefined };
}

function faultOfPicture({ image, video }: Checked): DocumentFault | undefined {
  if (image === undefined) return undefined;
  if (video !== undefined) {
    const message = 'a document has an image or a video, not both; submit two documents';
    return { code: 'invalid_document', path: 'video', message };
  }
  const reference = parseImageReference(image);
  if (reference.ok) return undefined;
  return { code: 'invalid_document', path: 'image', message: `image: ${reference.message}` };
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
