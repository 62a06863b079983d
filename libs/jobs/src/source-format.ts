import { z } from 'zod';
import { EmbedmillError } from './errors.ts';

/**
 * What a source is written in: documents, or a file that is one `document` by itself, of any kind that is read. All but
 * plain NDJSON is made into that once, before its job runs.
 */
export const sourceFormatSchema = z.enum(['ndjson', 'csv', 'parquet', 'document']);
export type SourceFormat = z.infer<typeof sourceFormatSchema>;

const column = (field: string) =>
  z
    .string()
    .min(1)
    .optional()
    .meta({ description: `The column that has the document’s ${field}; \`${field}\` by default.` });

const metadataColumnsSchema = z.union([z.literal('rest'), z.array(z.string().min(1))]).meta({
  description:
    'The columns that become metadata, or `rest` for all that are no other field. Of tables `rest` is the default; lines of NDJSON have their metadata in a field of its own by default.',
});

/** Which columns of a table, or fields of a line, become which fields of a document. */
export const columnsSchema = z.strictObject({
  id: column('id'),
  text: column('text'),
  title: column('title'),
  image: column('image'),
  video: column('video'),
  tenant: column('tenant'),
  vector: column('vector'),
  deleted: column('deleted'),
  source: column('source'),
  metadata: metadataColumnsSchema.optional(),
});
export type Columns = z.infer<typeof columnsSchema>;

const delimiterSchema = z
  .string()
  .transform((given) => (given === 'tab' || given === '\\t' ? '\t' : given))
  .refine((given) => given.length === 1 && !/["\r\n]/.test(given), 'must be one character, or tab')
  .meta({
    description:
      'What stands between the cells of a CSV; by default what its first line says (`sep=;`), or what fits of `,` `;` tab and `|`.',
  });

const textEncodingSchema = z
  .string()
  .min(1)
  .transform((given, context) => {
    const name = textEncodingOf(given);
    if (name !== undefined) return name;
    context.addIssue({
      code: 'custom',
      message: `${JSON.stringify(given)} is no encoding that is known; take a name of the WHATWG Encoding Standard, such as windows-1252, utf-16le or shift_jis`,
    });
    return z.NEVER;
  })
  .meta({
    description:
      'What the bytes of a CSV or of NDJSON are text by: a name of the WHATWG Encoding Standard; UTF-8 by default, or what its byte order mark says.',
  });

/** What users say of how a source is written, beside its format. */
export const readingSchema = z.strictObject({
  columns: columnsSchema.optional(),
  metadata: metadataColumnsSchema.optional(),
  delimiter: delimiterSchema.optional(),
  encoding: textEncodingSchema.optional(),
  listSeparator: z.string().min(1).max(8).optional().meta({
    description:
      'What stands between the entries of a list in a CSV’s metadata cell; without it a cell is one value.',
  }),
});
export type Reading = z.infer<typeof readingSchema>;
/** What users say of a source, with its format. */
export type SaidFormat = Reading & { format?: SourceFormat | undefined };

/** How a source that is no plain NDJSON is to be read. */
export const sourceEncodingSchema = z.strictObject({
  format: sourceFormatSchema,
  gzip: z.boolean(),
  columns: columnsSchema.optional(),
  delimiter: z.string().optional(),
  encoding: z.string().optional(),
  listSeparator: z.string().optional(),
  /** Of a file that is a document: its id, and a hint of what it is. */
  name: z.string().optional(),
});
export type SourceEncoding = z.infer<typeof sourceEncodingSchema>;

/**
 * How a source is to be read that is in this format, packed or not; undefined for plain NDJSON, which is read where it
 * lies. Errors: `invalid_request` for what does not go together.
 */
export function encodingOf({
  format = 'ndjson',
  gzip = false,
  columns: named,
  metadata,
  delimiter,
  encoding,
  listSeparator,
}: Reading & { format?: SourceFormat | undefined; gzip?: boolean }): SourceEncoding | undefined {
  if (metadata !== undefined && named?.metadata !== undefined)
    throw mismatch('metadata', 'it is in "columns" already; say it once');
  const columns = metadata === undefined ? named : { ...named, metadata };
  if (format === 'document') {
    if (columns !== undefined) throw mismatch('columns', 'a file that is one document has none');
    if (encoding !== undefined) throw mismatch('encoding', 'of a document it is found by itself');
  }
  if (format !== 'csv' && delimiter !== undefined) throw mismatch('delimiter', 'only CSV has one');
  if (format !== 'csv' && listSeparator !== undefined)
    throw mismatch('listSeparator', `it is for cells of CSV; ${format} has lists of its own`);
  if (format === 'parquet' && encoding !== undefined)
    throw mismatch('encoding', 'Parquet has texts as UTF-8 always');
  if (format === 'parquet' && gzip) {
    throw new EmbedmillError('invalid_request', 'Parquet is packed in itself; unpack the file around it');
  }
  const isPlain = format === 'ndjson' && !gzip && columns === undefined;
  if (isPlain && (encoding === undefined || encoding === 'utf-8')) return undefined;
  return { format, gzip, columns, delimiter, encoding, listSeparator };
}

/** As `encodingOf`, of what a name or a media type stands for, and of what was said, which counts more. */
export function encodingOfNamed(
  named: NamedFormat & { gzip?: boolean; encoding?: string },
  said: SaidFormat = {},
): SourceEncoding | undefined {
  const format = said.format ?? named.format;
  return encodingOf({
    ...said,
    format,
    gzip: named.gzip ?? false,
    delimiter: said.delimiter ?? (format === 'csv' ? named.delimiter : undefined),
    encoding: said.encoding ?? (hasEncoding(format) ? named.encoding : undefined),
  });
}

/**
 * Of what was said of several files, what goes with one of them: a delimiter is for those that are CSV.
 *
 * @param named what the file's name says
 */
export function readingOf(named: NamedFormat, said: SaidFormat): SaidFormat {
  const { format = named.format ?? 'ndjson', columns, metadata, delimiter, encoding, listSeparator } = said;
  const isTable = format === 'csv';
  const isDocument = format === 'document';
  return {
    format: said.format,
    columns: isDocument ? undefined : columns,
    metadata: isDocument ? undefined : metadata,
    delimiter: isTable ? delimiter : undefined,
    listSeparator: isTable ? listSeparator : undefined,
    encoding: format === 'parquet' || isDocument ? undefined : encoding,
  };
}

function hasEncoding(format: SourceFormat | undefined): boolean {
  return format !== 'parquet' && format !== 'document';
}

/** Refuses what was said of several files and goes with none of them. Errors: `invalid_request`. */
export function assertReadingFits(files: readonly NamedFormat[], said: SaidFormat): void {
  const readings = files.map((named) => readingOf(named, said));
  for (const option of ['delimiter', 'listSeparator'] as const) {
    if (said[option] !== undefined && readings.every((one) => one[option] === undefined))
      throw mismatch(option, 'none of the files is CSV');
  }
  if (said.encoding !== undefined && readings.every((one) => one.encoding === undefined))
    throw mismatch('encoding', 'Parquet has texts as UTF-8 always');
}

function mismatch(path: string, why: string): EmbedmillError {
  const message = `${path}: ${why}`;
  return new EmbedmillError('invalid_request', message, { details: [{ path, message }] });
}

/** The encoding that a name stands for, by the name that the standard has for it. */
function textEncodingOf(name: string): string | undefined {
  try {
    return new TextDecoder(name).encoding;
  } catch {
    return undefined;
  }
}

/** The media type that each format is uploaded as. */
export const MEDIA_TYPES: Readonly<Record<SourceFormat, string>> = {
  ndjson: 'application/x-ndjson',
  csv: 'text/csv',
  parquet: 'application/vnd.apache.parquet',
  document: 'application/octet-stream',
};

const EXTENSIONS: Readonly<Record<string, SourceFormat>> = {
  ndjson: 'ndjson',
  jsonl: 'ndjson',
  csv: 'csv',
  tsv: 'csv',
  tab: 'csv',
  parquet: 'parquet',
};
const TAB = /^(?:tsv|tab)$/i;

/** Of files that are documents by themselves; what each is, its content says. */
const DOCUMENTS = new Set(
  [
    'md markdown mdx html htm xhtml txt text rst adoc org tex log ipynb pdf docx pptx xlsx odt odp ods epub eml',
    'js mjs cjs jsx ts mts cts tsx py pyi rb go rs java kt kts scala swift c h cc cpp cxx hpp hh cs php pl pm lua',
    'r jl sh bash zsh fish ps1 sql ex exs erl hs ml mli clj dart groovy m mm zig nim vue svelte proto tf',
    'css scss less yaml yml toml ini xml gradle cmake',
  ]
    .join(' ')
    .split(' '),
);

/** What a file's name says of its content. */
export function formatOfName(name: string): NamedFormat & { gzip: boolean } {
  const plain = name.replace(/\.gz$/i, '');
  const [, extension = ''] = /\.([^./]+)$/.exec(plain) ?? [];
  const named = extension.toLowerCase();
  const format = EXTENSIONS[named] ?? (DOCUMENTS.has(named) ? 'document' : undefined);
  const gzip = plain !== name;
  return TAB.test(extension) ? { format, gzip, delimiter: '\t' } : { format, gzip };
}

/** A format, with the delimiter where its name says that as well. */
export interface NamedFormat {
  format: SourceFormat | undefined;
  delimiter?: string;
}

/** What a media type stands for, its charset among it; without a format where it says nothing of it. */
export function formatOfMediaType(type: string): NamedFormat & { encoding?: string } {
  const [, charset = ''] = /;\s*charset\s*=\s*"?([^\s";]+)/i.exec(type) ?? [];
  const format = plainFormatOf(type);
  const encoding = textEncodingOf(charset);
  const isText = format !== undefined && hasEncoding(format);
  return {
    format,
    ...(/^text\/tab-separated-values\b/i.test(type) && { delimiter: '\t' }),
    ...(isText && encoding !== undefined && encoding !== 'utf-8' && { encoding }),
  };
}

function plainFormatOf(type: string): SourceFormat | undefined {
  const [essence = ''] = type.toLowerCase().split(';');
  switch (essence.trim()) {
    case 'application/x-ndjson':
    case 'application/ndjson':
    case 'application/jsonl':
      return 'ndjson';
    case 'text/csv':
    case 'text/tab-separated-values':
      return 'csv';
    case 'application/vnd.apache.parquet':
    case 'application/x-parquet':
      return 'parquet';
    case 'text/html':
    case 'application/xhtml+xml':
    case 'text/markdown':
    case 'text/plain':
    case 'application/pdf':
    case 'application/epub+zip':
    case 'application/vnd.openxmlformats-officedocument.wordprocessingml.document':
    case 'application/vnd.openxmlformats-officedocument.presentationml.presentation':
    case 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet':
    case 'application/vnd.oasis.opendocument.text':
    case 'application/vnd.oasis.opendocument.presentation':
    case 'application/vnd.oasis.opendocument.spreadsheet':
    case 'message/rfc822':
      return 'document';
    default:
      return undefined;
  }
}
