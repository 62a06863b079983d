import { z } from 'zod';
import { EmbedmillError, parseKept, storedSourceSchema } from '@embedmill/jobs';
import type { StoredRecords } from '@embedmill/sources';

/** Records of clients, visible within their tenant. */
export type ClientRecords = Pick<StoredRecords, 'keep' | 'read' | 'all' | 'remove' | 'write'>;
/** Clients' files that are uploaded in parts. */
export type ClientUploads = ClientRecords & Pick<StoredRecords, 'writePart' | 'parts'>;

/** What a client's key makes others’ records its tenant’s; all records have it. */
export const ownedSchema = z.looseObject({ tenant: z.string().optional() });

/** A client's file, as stored in the spool. Times are epoch milliseconds. */
export const clientFileSchema = z.strictObject({
  id: z.string(),
  filename: z.string(),
  purpose: z.enum(['batch', 'batch_output']),
  tenant: z.string().optional(),
  createdAt: z.number(),
  expiresAt: z.number().optional(),
  source: storedSourceSchema,
});
export type ClientFile = z.infer<typeof clientFileSchema>;

/** A batch, as stored in the spool: the request. Its outcome is in its job. */
export const batchRecordSchema = z.strictObject({
  id: z.string(),
  job: z.string(),
  input: z.string(),
  completionWindow: z.string(),
  metadata: z.record(z.string(), z.string()).nullable(),
  tenant: z.string().optional(),
  createdAt: z.number(),
  expiresAt: z.number(),
  cancellingAt: z.number().optional(),
  outputSeconds: z.number().optional(),
});
export type BatchRecord = z.infer<typeof batchRecordSchema>;

/** An upload in parts, as stored in the spool, which also knows the received parts. */
export const clientUploadSchema = z.strictObject({
  id: z.string(),
  filename: z.string(),
  bytes: z.number(),
  tenant: z.string().optional(),
  createdAt: z.number(),
  expiresAt: z.number(),
  /** How long to keep its file, in seconds, if set. */
  fileSeconds: z.number().optional(),
  /** The id of the completed file. */
  file: z.string().optional(),
  cancelled: z.literal(true).optional(),
});
export type ClientUpload = z.infer<typeof clientUploadSchema>;

/** How long a file may be kept, in seconds: an hour to thirty days, as at OpenAI. */
export const EXPIRES_SECONDS = { least: 3600, most: 2_592_000 };

type Files = Pick<ClientRecords, 'read' | 'all'>;

/** Errors: `file_not_found`. */
export async function requireFile(files: Pick<Files, 'read'>, id: string): Promise<ClientFile> {
  const found = await files.read(id);
  if (found !== undefined) return parseKept(clientFileSchema, found);
  throw new EmbedmillError('file_not_found', `No such File object: ${id.slice(0, 100)}`);
}

/** Errors: `file_not_found`. */
export async function requireUpload(uploads: Pick<Files, 'read'>, id: string): Promise<ClientUpload> {
  const found = await uploads.read(id);
  if (found !== undefined) return parseKept(clientUploadSchema, found);
  throw new EmbedmillError('file_not_found', `No such Upload object: ${id.slice(0, 100)}`);
}

/** Errors: `batch_not_found`. */
export async function requireBatch(batches: Pick<Files, 'read'>, id: string): Promise<BatchRecord> {
  const found = await batches.read(id);
  if (found !== undefined) return parseKept(batchRecordSchema, found);
  throw new EmbedmillError('batch_not_found', `No batch found with id '${id.slice(0, 100)}'.`);
}

/** All visible records, newest first. */
export async function newestFirst<T extends { id: string; createdAt: number }>(
  records: Files,
  schema: z.ZodType<T>,
): Promise<T[]> {
  const found = (await records.all()).map((record) => parseKept(schema, record));
  return found.sort((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? 1 : -1));
}

/** A page of a list in OpenAI's format. */
export function pageSchema<T extends z.ZodType>(view: T) {
  return z.strictObject({
    object: z.literal('list'),
    data: z.array(view),
    first_id: z.string().nullable(),
    last_id: z.string().nullable(),
    has_more: z.boolean(),
  });
}

/** A page of a list as requested by OpenAI's clients: at most `limit` entries after `after`. Errors: `invalid_request`. */
export function pageOf<T extends { id: string }>(
  all: readonly T[],
  { after, limit }: { after?: string | undefined; limit: number },
): { page: T[]; ends: { first_id: string | null; last_id: string | null; has_more: boolean } } {
  const at = after === undefined ? -1 : all.findIndex(({ id }) => id === after);
  if (after !== undefined && at === -1)
    throw new EmbedmillError('invalid_request', `after: the list does not contain ${after.slice(0, 100)}`);
  const page = all.slice(at + 1, at + 1 + limit);
  const ends = {
    first_id: page[0]?.id ?? null,
    last_id: page.at(-1)?.id ?? null,
    has_more: at + 1 + limit < all.length,
  };
  return { page, ends };
}

export const seconds = (milliseconds: number): number => Math.floor(milliseconds / 1000);
