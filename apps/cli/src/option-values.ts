import { InvalidArgumentError } from 'commander';
import { SPARSE_SCHEMES, sparseSchemeSchema, type SparseScheme } from '@embedmill/jobs';

/** Parsers of option values, for commander: each throws what it shows as a usage error. */

export function integerBetween(least: number, most: number): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (!/^\d+$/.test(value) || number < least || number > most) {
      throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
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

export function schemesOf(given: string): SparseScheme[] {
  return given.split(',').map((name) => {
    const scheme = sparseSchemeSchema.safeParse(name.trim());
    if (scheme.success) return scheme.data;
    throw new InvalidArgumentError(`Choose from ${SPARSE_SCHEMES.join(', ')}.`);
  });
}
