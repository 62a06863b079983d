import type { z } from 'zod';

type Issue = z.core.$ZodIssue;
type Holder = Record<PropertyKey, unknown>;

/**
 * The number of passes, because one null may hide another, as in a union whose branch depends on a field. After the
 * last one, remaining nulls are errors. Each pass is a full validation, so the number is limited.
 */
const MOST_LOOKS = 4;

/**
 * Validates a part of a request, treating `null` as absent in every field whose schema does not allow null, because
 * many clients send all fields they know. A null is removed only where the schema refuses it, so nulls in metadata
 * stay, and unknown fields are refused even with null. Modifies `data`.
 */
export function parseRequest<Schema extends z.ZodType>(
  schema: Schema,
  data: unknown,
): z.ZodSafeParseResult<z.output<Schema>> {
  let parsed = schema.safeParse(data);
  for (let look = 1; !parsed.success && look < MOST_LOOKS; look += 1) {
    const removed = pathsOf(parsed.error.issues).filter((path) => removeNull(data, path));
    if (removed.length === 0) break;
    parsed = schema.safeParse(data);
  }
  return parsed;
}

/** The non-empty parameters of a query string: clients send absent ones as `?after=&tenant=`. */
export function givenParameters(data: unknown): unknown {
  if (typeof data !== 'object' || data === null) return data;
  return Object.fromEntries(Object.entries(data).filter(([, value]) => value !== ''));
}

/** The places of faults in all branches of unions, because the meant branch is not known yet. */
function pathsOf(issues: readonly Issue[], above: readonly PropertyKey[] = []): PropertyKey[][] {
  return issues.flatMap((issue) => {
    const path = [...above, ...issue.path];
    return issue.code === 'invalid_union' && issue.errors.length > 0
      ? issue.errors.flatMap((branch) => pathsOf(branch, path))
      : [path];
  });
}

/** Removes a null at the path from its object; false if there is none, or if it is in a list. */
function removeNull(data: unknown, path: readonly PropertyKey[]): boolean {
  const [key, ...above] = [...path].reverse();
  let holder = data;
  for (const step of above.reverse()) holder = isHolder(holder) ? holder[step] : undefined;
  if (key === undefined || !isHolder(holder) || Array.isArray(holder) || holder[key] !== null) return false;
  return delete holder[key];
}

function isHolder(value: unknown): value is Holder {
  return typeof value === 'object' && value !== null;
}
