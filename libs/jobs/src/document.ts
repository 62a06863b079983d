import { z } from 'zod';
import { EmbedmillError, type ErrorCode } from './errors.ts';
import { DEFAULT_TENANT, type DocumentId, type TenantId } from './ids.ts';
import { parseImageReference } from './image-reference.ts';
import type { FilterableType, Profile } from './profile.ts';

export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

/** As `z.json()`, with a name of its own in API descriptions. */
export const jsonSchema: z.ZodType<Json> = z
  .lazy(() =>
    z.union([
      z.string(),
      z.number(),
      z.boolean(),
      z.null(),
      z.array(jsonSchema),
      z.record(z.string(), jsonSchema),
    ]),
  )
  .meta({ id: 'Json', description: 'Any JSON value.' });

/** As the stores read it: a date, or a date and time with seconds. */
const datetimeSchema = z.iso
  .date()
  .or(z.iso.datetime({ offset: true, local: true }).regex(/T\d\d:\d\d:\d\d/));

/** How deep metadata may nest. */
const MAX_DEPTH = 16;
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
});

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
}

export type DocumentParse =
  { ok: true; document: Document } | { ok: false; id: string | undefined; error: EmbedmillError };

/**
 * A parsed JSON value as a document of a collection with this profile, or what is wrong with it as an error
 * of the catalogue, with the document's id where it has one.
 *
 * @param bound the only tenant whose documents may come; it is that of documents that name none
 */
export function parseDocument(
  value: unknown,
  profile: Pick<Profile, 'filterable'>,
  bound?: TenantId,
): DocumentParse {
  const id = documentIdOf(value);
  const fail = (code: ErrorCode, path: string, message: string): DocumentParse => ({
    ok: false,
    id,
    error: new EmbedmillError(code, message, { details: [{ path, message }] }),
  });

  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return fail('malformed_json', '', `a document is a JSON object; this is ${describe(value)}`);
  }
  const fault = faultIn(value, 0);
  switch (fault) {
    case 'depth':
      return fail('invalid_document', 'metadata', `nested deeper than ${MAX_DEPTH} levels`);
    case 'key':
      return fail('forbidden_key', '', 'the key "__proto__" is not allowed; rename it');
    case undefined:
      break;
  }
  const fields = value as Record<string, unknown>;
  if (fields['id'] === undefined || fields['id'] === null || fields['id'] === '') {
    return fail('missing_id', 'id', 'the field "id" is missing or empty; give every document an id');
  }
  const hasPicture = ['image', 'video'].some(
    (field) => fields[field] !== undefined && fields[field] !== null,
  );
  if (!hasPicture && (fields['text'] === undefined || fields['text'] === null)) {
    return fail(
      'missing_text',
      'text',
      'the field "text" is missing; a document needs a text, an image or a video',
    );
  }

  const parsed = documentSchema.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const path = issue?.path.join('/') ?? '';
    const unknown = issue?.code === 'unrecognized_keys' ? '; put fields of your own under "metadata"' : '';
    return fail(
      'invalid_document',
      path,
      `${path === '' ? '' : `${path}: `}${issue?.message ?? ''}${unknown}`,
    );
  }
  const { text = '', image, video, title, metadata, tenant } = parsed.data;
  for (const [path, string] of [
    ['id', parsed.data.id],
    ['text', text],
    ['image', image ?? ''],
    ['video', video ?? ''],
    ['title', title ?? ''],
    ['tenant', tenant ?? ''],
    ...stringsIn(metadata ?? {}, 'metadata'),
  ] as const) {
    if (!string.isWellFormed()) {
      return fail('invalid_unicode', path, `${path} has a lone surrogate (half of a UTF-16 pair); remove it`);
    }
    if (string.includes(NUL)) {
      return fail('invalid_unicode', path, `${path} has a NUL (U+0000) at ${string.indexOf(NUL)}; remove it`);
    }
  }
  if (!hasPicture && text.trim() === '') {
    return fail('empty_text', 'text', 'the text is empty or white space only');
  }
  if (bound !== undefined && tenant !== undefined && tenant !== bound) {
    const message = `the document is of the tenant ${JSON.stringify(tenant)}, but the job may write only those of ${JSON.stringify(bound)}; leave "tenant" out`;
    return fail('foreign_tenant', 'tenant', message);
  }
  if (image !== undefined && video !== undefined) {
    return fail('invalid_document', 'video', 'a document has an image or a video, not both; make it two');
  }
  if (image !== undefined) {
    const reference = parseImageReference(image);
    if (!reference.ok) return fail('invalid_document', 'image', `image: ${reference.message}`);
  }
  for (const [field, type] of Object.entries(profile.filterable)) {
    const given = metadata !== undefined && Object.hasOwn(metadata, field) ? metadata[field] : undefined;
    if (given === undefined || given === null) continue;
    const values = Array.isArray(given) ? given : [given];
    if (!values.every((one) => hasType(one, type))) {
      const message = `metadata/${field} must be of type ${type} (or a list of it), but is ${JSON.stringify(given)?.slice(0, 100)}`;
      return fail('metadata_type', `metadata/${field}`, message);
    }
  }
  return {
    ok: true,
    document: {
      id: parsed.data.id as DocumentId,
      text,
      image,
      video,
      title: title === undefined || title.trim() === '' ? undefined : title,
      metadata: (metadata ?? {}) as { [key: string]: Json },
      tenant: (tenant ?? bound ?? DEFAULT_TENANT) as TenantId,
    },
  };
}

/** What is read of a text: its document's title stands in front, as it does for the dense model. */
export function spokenText({ title, text }: { title?: string | null | undefined; text: string }): string {
  return title === undefined || title === null ? text : `${title} ${text}`;
}

/** The id that a parsed value claims, before anything else about it is known to be right. */
export function documentIdOf(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || !('id' in value)) return undefined;
  const { id } = value;
  if (typeof id === 'string' && id !== '') return id;
  return Number.isSafeInteger(id) ? String(id) : undefined;
}

function hasType(value: unknown, type: FilterableType): boolean {
  switch (type) {
    case 'keyword':
      return typeof value === 'string';
    case 'integer':
      return Number.isSafeInteger(value);
    case 'float':
      return typeof value === 'number';
    case 'boolean':
      return typeof value === 'boolean';
    case 'datetime':
      return datetimeSchema.safeParse(value).success;
  }
}

/** All strings of a value, keys too, each with its path. */
function* stringsIn(value: object, path: string): Generator<readonly [path: string, string: string]> {
  for (const [key, inner] of Object.entries(value) as [string, unknown][]) {
    yield [path, key];
    if (typeof inner === 'string') yield [`${path}/${key}`, inner];
    else if (typeof inner === 'object' && inner !== null) yield* stringsIn(inner, `${path}/${key}`);
  }
}

/** What makes a value unfit to be walked or copied. */
function faultIn(value: object, depth: number): 'key' | 'depth' | undefined {
  if (depth > MAX_DEPTH) return 'depth';
  for (const [key, inner] of Object.entries(value)) {
    if (key === '__proto__') return 'key';
    if (typeof inner === 'object' && inner !== null) {
      const found = faultIn(inner, depth + 1);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

function describe(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'an array' : `a ${typeof value}`;
}
