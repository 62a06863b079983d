import { filterSchema, type Filter } from '@embedmill/jobs';
import { usageError } from '../exit.ts';

/** Parses `--filter`. Throws a usage error if it is not a condition. */
export function filterOf(given: string): Filter {
  let value: unknown;
  try {
    value = JSON.parse(given);
  } catch (error) {
    throw usageError(
      `--filter is not JSON (${(error as Error).message}); an example: {"field":"year","gte":1990}`,
    );
  }
  const parsed = filterSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw usageError(
    '--filter is not a condition; examples: {"field":"lang","eq":"en"}, {"and":[…]}, {"not":…}',
  );
}
