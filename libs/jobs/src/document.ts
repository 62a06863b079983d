import { z } from 'zod';
import { MOST_DIMS } from './document-vector.ts';
import type { DocumentId, TenantId } from './ids.ts';
import { jsonSchema, type Json } from './json.ts';
import { sourceNameSchema, type SnapshotOptions } from './snapshot.ts';
import { spokenHead, structureSchema, type DocumentStructure } from './structure.ts';

/** The largest image as base64; it fits into a line. */
const MAX_IMAGE_CHARACTERS = 28 * 1024 * 1024;

/** What a user submits: one line of NDJSON, or one entry of an inline array. */
export const documentSchema = z.strictObject({
  id: z
    .union([z.string().min(1).max(512), z.int()])
    .transform(String)
    .meta({
      description:
        'Unique within the collection and tenant; submitting the same id again replaces the document.',
    }),
  text: z.string().optional().meta({
    description: 'The text to embed and to return from searches. With an image, it is not embedded.',
  }),
  image: z.string().min(1).max(MAX_IMAGE_CHARACTERS).optional().meta({
    description:
      'An image to embed in place of the text: a data URI, an http(s) URL, or a path relative to the source’s folder. Requires a model that reads images.',
  }),
  video: z.string().min(1).max(4096).optional().meta({
    description:
      'The path of a video, relative to the source’s folder. A frame every few seconds is embedded, each as one chunk.',
  }),
  title: z
    .string()
    .max(4096)
    .optional()
    .meta({ description: 'Embedded in front of every chunk of the text.' }),
  metadata: z.record(z.string(), jsonSchema).optional().meta({
    description: 'Returned by searches, which can filter on the fields in the profile’s `filterable`.',
  }),
  tenant: z.string().min(1).max(128).optional().meta({ description: 'The tenant that owns the document.' }),
  vector: z.array(z.number()).min(1).max(MOST_DIMS).optional().meta({
    description:
      'A precomputed dense vector of the collection’s model and size. It is stored instead of embedding the text, as one chunk.',
  }),
  source: sourceNameSchema.optional().meta({
    description:
      'The source that the document belongs to, such as a site or a folder; a snapshot covers one source.',
  }),
  structure: structureSchema.optional(),
  deleted: z.boolean().optional().meta({
    description:
      'If true, the document with this id is deleted. Such a line has only an id and, if needed, a tenant and a source.',
  }),
});

/**
 * A text, a picture (an image, or a video's frames), or both. With a picture, the dense vector comes from the picture
 * alone; the text is used for the sparse vectors and returned by searches.
 */
export interface Document {
  id: DocumentId;
  /** Empty if there is only a picture. */
  text: string;
  /** As submitted; `parseImageReference` has accepted it. */
  image: string | undefined;
  /** A path. */
  video: string | undefined;
  title: string | undefined;
  metadata: { [key: string]: Json };
  tenant: TenantId;
  /** The vector submitted with the document: not normalised, its size not yet checked. */
  vector?: readonly number[] | undefined;
  /** The source that it belongs to, if named. */
  source?: string | undefined;
  /** The structure of its text, if known. */
  structure?: DocumentStructure | undefined;
}

/** A line that deletes the document with this id. */
export interface Tombstone {
  deleted: true;
  id: DocumentId;
  tenant: TenantId;
  /** Set if it is deleted at another sequence than the job's. */
  sequence?: number | undefined;
}

/** What a job states for all its documents. */
export interface DocumentScope extends Pick<SnapshotOptions, 'mode' | 'sourceName'> {
  /** The only tenant whose documents the job accepts, and the tenant of documents that name none. */
  tenant?: TenantId | undefined;
  /** Whether embedmill wrote the lines, so that a tombstone may carry its sequence. */
  sequenced?: boolean | undefined;
}

export interface DocumentLimits {
  /** The largest metadata, as JSON. */
  metadataBytes: number;
}

/**
 * A text as models read it: after its document's title and the headings above it, which the dense model also reads.
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
