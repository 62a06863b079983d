import { z } from 'zod';
import { EmbedmillError } from './errors.ts';

/**
 * The format of a source: rows of documents, or a file that is one `document` of any supported type. Everything except plain
 * NDJSON is converted to it once, before the job runs.
 */
export const sourceFormatSchema = z.enum(['ndjson', 'csv', 'parquet', 'document']);
export type SourceFormat = z.infer<typeof sourceFormatSchema>;

const column = (field: string) =>
  z
    .string()
    .min(1)
    .optional()
    .meta({ description: `The column of the document’s ${field}; \`${field}\` by default.` });

const metadataColumnsSchema = z.union([z.literal('rest'), z.array(z.string().min(1))]).meta({
  description:
    'The columns that become metadata, or `rest` for all that are not another field. The default is `rest` for tables; in NDJSON, metadata is a field of its own by default.',
});

/** The columns of a table, or fields of a line, that become the fields of a document. */
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
      'The delimiter of a CSV; by default the one that its first line names (`sep=;`), or the best match of `,` `;` tab and `|`.',
  });

const textEncodingSchema = z
  .string()
  .min(1)
  .transform((given, context) => {
    const name = textEncodingOf(given);
    if (name !== undefined) return name;
    context.addIssue({
      code: 'custom',
      message: `${JSON.stringify(given)} is not a known encoding; use a name from the WHATWG Encoding Standard, such as windows-1252, utf-16le or shift_jis`,
    });
    return z.NEVER;
  })
  .meta({
    description:
      'The encoding of a CSV or NDJSON, by its name in the WHATWG Encoding Standard; by default that of its byte order mark, or else UTF-8.',
  });

/** What users may state about a source's encoding, in addition to its format. */
export const readingSchema = z.strictObject({
  columns: columnsSchema.optional(),
  metadata: metadataColumnsSchema.optional(),
  delimiter: delimiterSchema.optional(),
  encoding: textEncodingSchema.optional(),
  listSeparator: z.string().min(1).max(8).optional().meta({
    description: 'The separator of list entries in metadata cells of a CSV; without it, a cell is one value.',
  }),
});
export type Reading = z.infer<typeof readingSchema>;
/** What users may state about a source, including its format. */
export type SaidFormat = Reading & { format?: SourceFormat | undefined };

/** How to read a source that is not plain NDJSON. */
export const sourceEncodingSchema = z.strictObject({
  format: sourceFormatSchema,
  gzip: z.boolean(),
  columns: columnsSchema.optional(),
  delimiter: z.string().optional(),
  encoding: z.string().optional(),
  listSeparator: z.string().optional(),
  /** For a file that is a document: its id, and a hint of its type. */
  name: z.string().optional(),
});
export type SourceEncoding = z.infer<typeof sourceEncodingSchema>;

/**
 * How to read a source in this format, compressed or not; undefined for plain NDJSON, which is read in place. Errors:
 * `invalid_request` for options that do not go together.
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
    throw mismatch('metadata', '"columns" sets it already; set it only once');
  const columns = metadata === undefined ? named : { ...named, metadata };
  if (format === 'document') {
    if (columns !== undefined) throw mismatch('columns', 'a file that is one document has no columns');
    if (encoding !== undefined)
      throw mismatch('encoding', 'the encoding of a document is detected; leave it out');
  }
  if (format !== 'csv' && delimiter !== undefined) throw mismatch('delimiter', 'only CSV has a delimiter');
  if (format !== 'csv' && listSeparator !== undefined)
    throw mismatch('listSeparator', `it applies only to CSV; ${format} has its own lists`);
  if (format === 'parquet' && encoding !== undefined)
    throw mismatch('encoding', 'Parquet has texts as UTF-8 always');
  if (format === 'parquet' && gzip) {
    throw new EmbedmillError(
      'invalid_request',
      'Parquet is compressed internally; submit the file without gzip',
    );
  }
  const isPlain = format === 'ndjson' && !gzip && columns === undefined;
  if (isPlain && (encoding === undefined || encoding === 'utf-8')) return undefined;
  return { format, gzip, columns, delimiter, encoding, listSeparator };
}

/** Like `encodingOf`, from a name or media type and from stated options, which take precedence. */
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
 * The options for several files that apply to one of them: a delimiter applies to CSV.
 *
 * @param named what the file's name shows
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

/** Refuses options for several files that apply to none of them. Errors: `invalid_request`. */
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

/** The encoding of a name, by its canonical name in the standard. */
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

/** Extensions of files that are documents; the type is determined by content. */
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

/** What a file's name shows of its content. */
export function formatOfName(name: string): NamedFormat & { gzip: boolean } {
  const plain = name.replace(/\.gz$/i, '');
  const [, extension = ''] = /\.([^./]+)$/.exec(plain) ?? [];
  const named = extension.toLowerCase();
  const format = EXTENSIONS[named] ?? (DOCUMENTS.has(named) ? 'document' : undefined);
  const gzip = plain !== name;
  return TAB.test(extension) ? { format, gzip, delimiter: '\t' } : { format, gzip };
}

/** A format, with the delimiter if the name shows it. */
export interface NamedFormat {
  format: SourceFormat | undefined;
  delimiter?: string;
}

/** What a media type means, including its charset; without a format if it is generic. */
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
