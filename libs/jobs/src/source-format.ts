import { z } from 'zod';
import { EmbedmillError } from './errors.ts';

/** What a source is written in. All but plain NDJSON is made into that once, before its job runs. */
export const sourceFormatSchema = z.enum(['ndjson', 'csv', 'parquet']);
export type SourceFormat = z.infer<typeof sourceFormatSchema>;

const column = (field: string) =>
  z
    .string()
    .min(1)
    .optional()
    .meta({ description: `The column that has the document’s ${field}; \`${field}\` by default.` });

/** Which columns of a table become which fields of a document. */
export const columnsSchema = z.strictObject({
  id: column('id'),
  text: column('text'),
  title: column('title'),
  image: column('image'),
  video: column('video'),
  tenant: column('tenant'),
  metadata: z.array(z.string().min(1)).optional().meta({
    description: 'The columns that become metadata; all others by default.',
  }),
});
export type Columns = z.infer<typeof columnsSchema>;

/** How a source that is no plain NDJSON is to be read. */
export const sourceEncodingSchema = z.strictObject({
  format: sourceFormatSchema,
  gzip: z.boolean(),
  columns: columnsSchema.optional(),
});
export type SourceEncoding = z.infer<typeof sourceEncodingSchema>;

/**
 * How a source is to be read that is in this format, packed or not; undefined for plain NDJSON, which is read where it
 * lies. Errors: `invalid_request` for what does not go together.
 */
export function encodingOf({
  format = 'ndjson',
  gzip = false,
  columns,
}: {
  format?: SourceFormat | undefined;
  gzip?: boolean;
  columns?: Columns | undefined;
}): SourceEncoding | undefined {
  if (format === 'ndjson' && columns !== undefined) {
    const message = 'columns: they are for csv and parquet; NDJSON has its fields by their own names';
    throw new EmbedmillError('invalid_request', message, { details: [{ path: 'columns', message }] });
  }
  if (format === 'parquet' && gzip) {
    throw new EmbedmillError('invalid_request', 'Parquet is packed in itself; unpack the file around it');
  }
  return format === 'ndjson' && !gzip ? undefined : { format, gzip, columns };
}

/** The media type that each format is uploaded as. */
export const MEDIA_TYPES: Readonly<Record<SourceFormat, string>> = {
  ndjson: 'application/x-ndjson',
  csv: 'text/csv',
  parquet: 'application/vnd.apache.parquet',
};

const EXTENSIONS: Readonly<Record<string, SourceFormat>> = {
  ndjson: 'ndjson',
  jsonl: 'ndjson',
  csv: 'csv',
  parquet: 'parquet',
};

/** What a file's name says of its content. */
export function formatOfName(name: string): { format: SourceFormat | undefined; gzip: boolean } {
  const plain = name.replace(/\.gz$/i, '');
  const [, extension = ''] = /\.([^./]+)$/.exec(plain) ?? [];
  return { format: EXTENSIONS[extension.toLowerCase()], gzip: plain !== name };
}

/** The format that a media type stands for; undefined for one that says nothing of it. */
export function formatOfMediaType(type: string): SourceFormat | undefined {
  const [essence = ''] = type.toLowerCase().split(';');
  switch (essence.trim()) {
    case 'application/x-ndjson':
    case 'application/ndjson':
    case 'application/jsonl':
      return 'ndjson';
    case 'text/csv':
      return 'csv';
    case 'application/vnd.apache.parquet':
    case 'application/x-parquet':
      return 'parquet';
    default:
      return undefined;
  }
}
