import { InvalidArgumentError } from 'commander';
import {
  columnsSchema,
  layoutSchema,
  maxDeletedSchema,
  maxFailuresSchema,
  readingSchema,
  SPARSE_SCHEMES,
  sparseSchemeSchema,
  type CollectionLayout,
  type Columns,
  type MaxFailures,
  type SparseScheme,
  type Webhook,
  webhookSchema,
} from '@embedmill/jobs';
import { usageError } from '../exit.ts';

/** Parsers of option values for commander: each throws an error that it shows as a usage error. */

export function integerBetween(least: number, most: number): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (!/^\d+$/.test(value) || number < least || number > most) {
      throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
    }
    return number;
  };
}

export function numberBetween(least: number, most: number): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (value.trim() === '' || !(number >= least && number <= most)) {
      throw new InvalidArgumentError(`It must be a number from ${least} to ${most}.`);
    }
    return number;
  };
}

export function httpUrl(value: string): string {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    throw new InvalidArgumentError('It must be an address such as http://127.0.0.1:7070.');
  }
  return value;
}

/** For `--late-interaction`: tokens that share a vector. */
export const poolFactorOf = integerBetween(1, 4);

/** The value of `--late-interaction`; without one, the server chooses the factor. */
export function lateInteractionOf(given: number | true | undefined): { poolFactor?: number } | undefined {
  if (given === undefined) return undefined;
  return given === true ? {} : { poolFactor: given };
}

export function schemesOf(given: string): SparseScheme[] {
  return given.split(',').map((name) => {
    const scheme = sparseSchemeSchema.safeParse(name.trim());
    if (scheme.success) return scheme.data;
    throw new InvalidArgumentError(`Choose from ${SPARSE_SCHEMES.join(', ')}.`);
  });
}

/** `rest`, or `year,author`: what becomes metadata. */
export function metadataOf(given: string): 'rest' | string[] {
  if (given === 'rest') return given;
  const names = given.split(',').map((name) => name.trim());
  if (!names.includes('')) return names;
  throw new InvalidArgumentError('Write rest, or column names separated by commas, such as year,author.');
}

/** `shards=6,onDisk=true`: how Qdrant keeps a collection. */
export function layoutOf(given: string): CollectionLayout {
  const parts = given.split(',').map((part) => part.split('=', 2).map((side) => side.trim()));
  const said = parts.map(([name = '', value = '']): [string, unknown] => {
    if (value === 'true' || value === 'false') return [name, value === 'true'];
    return [name, value === '' ? undefined : Number(value)];
  });
  const parsed = layoutSchema.safeParse(Object.fromEntries(said));
  if (parsed.success && said.every(([, value]) => value !== undefined)) return parsed.data;
  const names = Object.keys(layoutSchema.shape).join(', ');
  const why = parsed.error?.issues.map(({ path, message }) => [...path, message].join(': ')).join('; ');
  throw new InvalidArgumentError(
    `Write it like shards=6,onDisk=true; the names are ${names}.${why === undefined ? '' : ` ${why}`}`,
  );
}

/** How many documents may fail: a whole number, or a share as 5% or 0.05. */
export function maxFailuresOf(given: string): MaxFailures {
  const parsed = maxFailuresSchema.safeParse(given.endsWith('%') ? given : Number(given));
  if (parsed.success && given.trim() !== '') return parsed.data;
  throw new InvalidArgumentError('It must be a whole number, or a share such as 5% or 0.05.');
}

/** The share of a source's documents that may go: as 50% or 0.5. */
export function maxDeletedOf(given: string): number {
  const parsed = maxDeletedSchema.safeParse(given.endsWith('%') ? given : Number(given));
  if (parsed.success && given.trim() !== '') return parsed.data;
  throw new InvalidArgumentError('It must be a share such as 50% or 0.5, at most 100%.');
}

/** The delimiter of a CSV. */
export function delimiterOf(given: string): string {
  const parsed = readingSchema.shape.delimiter.safeParse(given);
  if (parsed.success && parsed.data !== undefined) return parsed.data;
  throw new InvalidArgumentError('It must be one character, or tab.');
}

/** The name of an encoding in the WHATWG Encoding Standard. */
export function encodingOf(given: string): string {
  const parsed = readingSchema.shape.encoding.safeParse(given);
  if (parsed.success && parsed.data !== undefined) return parsed.data;
  throw new InvalidArgumentError(`${parsed.error?.issues[0]?.message ?? ''}.`);
}

/** `id=sku,text=body,metadata=year,metadata=author`: which column is which field. */
export function columnsOf(given: string): Columns {
  const columns: Record<string, string | string[]> = {};
  for (const pair of given.split(',')) {
    const at = pair.indexOf('=');
    const [field, name] = [pair.slice(0, Math.max(0, at)).trim(), pair.slice(at + 1).trim()];
    if (at < 1 || name === '')
      throw new InvalidArgumentError('Write field=column, such as id=sku,text=body.');
    if (field === 'metadata' && name !== 'rest') columns[field] = [...(columns[field] ?? []), name];
    else columns[field] = name;
  }
  const parsed = columnsSchema.safeParse(columns);
  if (parsed.success) return parsed.data;
  const fields = Object.keys(columnsSchema.shape).join(', ');
  throw new InvalidArgumentError(`The fields are ${fields}.`);
}

/** A webhook from `--webhook`, `--webhook-failures` and the environment. Throws a usage error if it is invalid. */
export function webhookOf(
  url: string | undefined,
  failures: string | undefined,
  secret: string | undefined,
): Webhook | undefined {
  if (url === undefined) {
    if (failures !== undefined) throw usageError('--webhook-failures needs a --webhook');
    return undefined;
  }
  if (secret === undefined) {
    throw usageError(
      'set EMBEDMILL_WEBHOOK_SECRET, with which the receiver verifies the sender: "whsec_$(openssl rand -base64 32)"',
    );
  }
  const threshold = failures?.endsWith('%') === true ? Number(failures.slice(0, -1)) / 100 : Number(failures);
  const parsed = webhookSchema.safeParse({
    url,
    secret,
    ...(failures !== undefined && { failures: threshold }),
  });
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw usageError(`the webhook's ${issue?.path.join('/')} ${issue?.message}`);
}
