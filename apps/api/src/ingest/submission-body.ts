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

/** A job's documents in JSON: a few of them, or where the server finds many. */
const documentFields = {
  documents: z
    .array(inlineDocument)
    .min(1)
    .optional()
    .meta({ description: `The documents, ${MAX_INLINE_DOCUMENTS} and 256 KiB at most.` }),
  source: z
    .strictObject({
      path: z.string().min(1).optional().meta({ description: 'A file that the server may read.' }),
      url: z
        .url({ protocol: /^https?$/, error: 'must be an http or https URL' })
        .max(8192)
        .optional()
        .meta({ description: 'Where the server fetches it from.' }),
      s3: z
        .string()
        .regex(/^s3:\/\//, 'must be s3://bucket/key')
        .optional()
        .meta({ description: 'An object, `s3://bucket/key`, that the server may read.' }),
      files: z.array(z.string().min(1).max(8192)).min(1).max(MOST_PLACES).optional().meta({
        description:
          'Many files as one job: http and https URLs, `s3://bucket/key`, all objects below `s3://bucket/prefix/`, paths of files, and of folders with all that is below. In folders and below prefixes, hidden files and those whose names do not say their format are passed over. What is said of columns, delimiter and so on is for all of them; of documents with the same id, the one in the file that is last in the order of names wins.',
      }),
      file: z.string().max(200).optional().meta({
        description: 'A file of `/v1/files`, uploaded before, whole or in parts (`/v1/uploads`); it stays.',
      }),
      format: sourceFormatSchema.optional().meta({
        description:
          'By default what the name ends in (.ndjson, .jsonl, .csv, .tsv, .parquet; .gz behind it for gzip), or what the URL says; else NDJSON.',
      }),
      ...readingSchema.shape,
    })
    .refine(
      ({ path, url, s3, files, file }) =>
        [path, url, s3, files, file].filter((one) => one !== undefined).length === 1,
      'give a path, a url, an s3, a file or files',
    )
    .optional(),
};
const runningFields = {
  priority: prioritySchema.optional().meta({
    description: 'Before which of its tenant’s jobs it comes; `normal` by default.',
  }),
  maxFailures: maxFailuresSchema.optional(),
  webhook: webhookSchema.optional().meta({ description: 'Whom to tell of the job’s end.' }),
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
        'Write nothing, and tell what would be added, changed, deleted: as counts, and by name in the output.',
    }),
    ...runningFields,
  })
  .refine(hasOneSource, ONE_SOURCE);

/** A job whose vectors go to a file. */
export const embeddingJobSchema = z
  .strictObject({
    ...documentFields,
    sourceName: snapshotOptionsSchema.shape.sourceName,
    output: outputRequestSchema.meta({ description: 'The file: a row a chunk, with its vectors.' }),
    profile: embeddingProfileSchema.prefault({}).meta({
      description: 'What is made of each document, as in the profile of a collection.',
    }),
    ...runningFields,
  })
  .refine(hasOneSource, ONE_SOURCE);
export type GivenDocuments = Omit<z.output<typeof embeddingJobSchema>, 'output' | 'profile' | 'sourceName'>;

/**
 * A request's documents as lines of a source. Errors: those of the first that is none, with the details of all; `field` is
 * where they stand in the request.
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
  const message = `${bad} of ${documents.length} ${field} are not valid, so nothing was accepted; first ${details[0]?.path}: ${wrong.error.message}`;
  throw new EmbedmillError(wrong.error.code, message, { details });
}

/** What a request says of its snapshot. Errors: `invalid_request`. */
export function snapshotOf({ mode, sourceName, maxDeleted }: SnapshotOptions): SnapshotOptions {
  if (maxDeleted === undefined || mode === 'snapshot') return { mode, sourceName, maxDeleted };
  const message = 'maxDeleted: it is for snapshots, which alone delete documents; say "mode": "snapshot"';
  throw new EmbedmillError('invalid_request', message, { details: [{ path: 'maxDeleted', message }] });
}

export type Intent = SnapshotOptions & Pick<NewJob, 'purpose' | 'sink'>;

/** What a request says of what becomes of its documents. Errors: `invalid_request`, `forbidden`. */
export function intentOf({
  dryRun = false,
  ...said
}: SnapshotOptions & { dryRun?: boolean | undefined }): Intent {
  const snapshot = snapshotOf(said);
  if (!dryRun) return { ...snapshot, purpose: 'ingest' };
  requireScope('search', 'comparing with what is stored');
  return { ...snapshot, purpose: 'compare', sink: { format: 'ndjson', vectors: false } };
}

/** What to say to a request whose body should have documents and has none. */
export function emptyBody(): EmbedmillError {
  const message =
    'the body is empty; send documents as NDJSON (application/x-ndjson), one a line, as CSV or as Parquet';
  return new EmbedmillError('invalid_request', message);
}
