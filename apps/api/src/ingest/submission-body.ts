import { z } from 'zod';
import {
  documentSchema,
  embeddingProfileSchema,
  EmbedmillError,
  maxFailuresSchema,
  METADATA_BYTES,
  outputRequestSchema,
  parseDocument,
  prioritySchema,
  readingSchema,
  snapshotOptionsSchema,
  sourceFormatSchema,
  webhookSchema,
  type Collection,
  type ErrorDetail,
  type SnapshotOptions,
} from '@embedmill/jobs';
import type { NewJob } from '@embedmill/queue';
import { currentPrincipal, requireScope } from '../access/principal.ts';
import { MOST_PLACES } from './file-form.ts';
import { MAX_INLINE_DOCUMENTS } from './upload.ts';

/** A document in a request: checked one by one afterwards, so that each fault gets its document's number. */
const inlineDocument = z
  .unknown()
  .meta({ ...z.toJSONSchema(documentSchema, { io: 'input' }), $schema: undefined });

/** A job's documents in JSON: a few documents, or the place of many. */
const documentFields = {
  documents: z
    .array(inlineDocument)
    .min(1)
    .optional()
    .meta({ description: `The documents: at most ${MAX_INLINE_DOCUMENTS}, and at most 256 KiB.` }),
  source: z
    .strictObject({
      path: z.string().min(1).optional().meta({ description: 'A file that the server may read.' }),
      url: z
        .url({ protocol: /^https?$/, error: 'must be an http or https URL' })
        .max(8192)
        .optional()
        .meta({ description: 'The URL from which the server fetches it.' }),
      s3: z
        .string()
        .regex(/^s3:\/\//, 'must be s3://bucket/key')
        .optional()
        .meta({ description: 'An S3 object, `s3://bucket/key`, that the server may read.' }),
      files: z.array(z.string().min(1).max(8192)).min(1).max(MOST_PLACES).optional().meta({
        description:
          'Many files as one job: http and https URLs, `s3://bucket/key`, all objects below `s3://bucket/prefix/`, paths of files, and paths of folders with everything below. In folders and below prefixes, hidden files and files whose names do not show their format are skipped. Options such as columns and delimiter apply to all files. If several files have a document with the same id, the file that is last by name wins.',
      }),
      file: z.string().max(200).optional().meta({
        description:
          'A file of `/v1/files` that was uploaded earlier, whole or in parts (`/v1/uploads`). The file is kept.',
      }),
      format: sourceFormatSchema.optional().meta({
        description:
          'The format; by default that of the name’s extension (.ndjson, .jsonl, .csv, .tsv, .parquet; a further .gz means gzip) or of the URL’s response; otherwise NDJSON.',
      }),
      ...readingSchema.shape,
    })
    .refine(
      ({ path, url, s3, files, file }) =>
        [path, url, s3, files, file].filter((one) => one !== undefined).length === 1,
      'give one of path, url, s3, file and files',
    )
    .optional(),
};
const runningFields = {
  priority: prioritySchema.optional().meta({
    description: 'Its priority among the tenant’s jobs; `normal` by default.',
  }),
  maxFailures: maxFailuresSchema.optional(),
  webhook: webhookSchema.optional().meta({ description: 'The receiver to notify of the job’s end.' }),
};
const hasOneSource = ({ documents, source }: { documents?: unknown; source?: unknown }): boolean =>
  (documents === undefined) !== (source === undefined);
const ONE_SOURCE = 'give documents or a source';

/** A job whose documents go to a collection. */
export const submissionSchema = z
  .strictObject({
    ...documentFields,
    ...snapshotOptionsSchema.shape,
    dryRun: z.boolean().optional().meta({
      description:
        'Write nothing; report what would be added, changed and deleted, as counts and, in the output, by document.',
    }),
    ...runningFields,
  })
  .refine(hasOneSource, ONE_SOURCE);

/** A job whose vectors go to a file. */
export const embeddingJobSchema = z
  .strictObject({
    ...documentFields,
    sourceName: snapshotOptionsSchema.shape.sourceName,
    output: outputRequestSchema.meta({
      description: 'The file to write: one row per chunk, with its vectors.',
    }),
    profile: embeddingProfileSchema.prefault({}).meta({
      description: 'How each document is embedded, as in a collection’s profile.',
    }),
    ...runningFields,
  })
  .refine(hasOneSource, ONE_SOURCE);
export type GivenDocuments = Omit<z.output<typeof embeddingJobSchema>, 'output' | 'profile' | 'sourceName'>;

/**
 * A request's documents as lines of a source. Errors: that of the first invalid one, with the details of all; `field`
 * is their field in the request.
 */
export function documentLines(
  field: string,
  documents: readonly unknown[],
  collection: Collection,
  job: SnapshotOptions,
  metadataBytes = METADATA_BYTES,
): string[] {
  const { tenant } = currentPrincipal();
  const parsed = documents.map((value) =>
    parseDocument(value, collection.profile, { ...job, tenant }, { metadataBytes }),
  );
  const details = parsed.flatMap((parse, index): ErrorDetail[] => {
    if (parse.ok) return [];
    const found =
      parse.error.details.length > 0 ? parse.error.details : [{ path: '', message: parse.error.message }];
    return found.map(({ path, message }) => ({
      path: [field, index, path].filter((part) => part !== '').join('/'),
      message,
    }));
  });
  const wrong = parsed.find((parse) => !parse.ok);
  if (wrong === undefined) return documents.map((value) => JSON.stringify(value));
  const bad = parsed.filter((parse) => !parse.ok).length;
  const message = `${bad} of ${documents.length} ${field} are not valid, so nothing was accepted; the first is ${details[0]?.path}: ${wrong.error.message}`;
  throw new EmbedmillError(wrong.error.code, message, { details });
}

/** The snapshot options of a request. Errors: `invalid_request`. */
export function snapshotOf({ mode, sourceName, maxDeleted }: SnapshotOptions): SnapshotOptions {
  if (maxDeleted === undefined || mode === 'snapshot') return { mode, sourceName, maxDeleted };
  const message = 'maxDeleted: only snapshots delete documents; set "mode": "snapshot" or leave it out';
  throw new EmbedmillError('invalid_request', message, { details: [{ path: 'maxDeleted', message }] });
}

export type Intent = SnapshotOptions & Pick<NewJob, 'purpose' | 'sink'>;

/** The job options of a request. Errors: `invalid_request`, `forbidden`. */
export function intentOf({
  dryRun = false,
  ...said
}: SnapshotOptions & { dryRun?: boolean | undefined }): Intent {
  const snapshot = snapshotOf(said);
  if (!dryRun) return { ...snapshot, purpose: 'ingest' };
  requireScope('search', 'comparing with stored documents');
  return { ...snapshot, purpose: 'compare', sink: { format: 'ndjson', vectors: false } };
}

/** The error for a request whose body has no documents. */
export function emptyBody(): EmbedmillError {
  const message =
    'the body is empty; send documents as NDJSON (application/x-ndjson, one per line), CSV or Parquet';
  return new EmbedmillError('invalid_request', message);
}
