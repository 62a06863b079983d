import type { z } from 'zod';

type Issue = z.core.$ZodIssue;
type Holder = Record<PropertyKey, unknown>;

/** How deep unknown fields may nest: each pass removes those of one level. */
const MOST_LOOKS = 8;

/**
 * Reads a stored record that a later version may have written, as after a rollback. Unknown fields are ignored at any
 * depth, unless the record lists them in `needs`: a later version lists there the fields that change the meaning of the
 * rest. Ignored fields are missing from the result, and so from whatever is written from it.
 */
export function readKept<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
): z.ZodSafeParseResult<z.output<Schema>> {
  let parsed = schema.safeParse(value);
  if (parsed.success) return parsed;
  const needed = neededIn(value);
  const known: unknown = structuredClone(value);
  for (let look = 0; look < MOST_LOOKS && !parsed.success; look += 1) {
    const unknown = unknownIn(parsed.error.issues);
    if (unknown.length === 0 || unknown.some(({ key }) => needed.has(key))) return parsed;
    for (const { path, key } of unknown) remove(known, path, key);
    parsed = schema.safeParse(known);
  }
  return parsed;
}

/** Like `readKept`; throws if the record is invalid or needs fields that this version does not know. */
export function parseKept<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const read = readKept(schema, value);
  if (read.success) return read.data;
  throw read.error;
}

/** The needed fields that a record, or a record within it, lists. */
function neededIn(value: unknown): ReadonlySet<string> {
  if (!isHolder(value)) return new Set();
  const { needs } = value;
  const own = Array.isArray(needs) ? needs.filter((name) => typeof name === 'string') : [];
  return new Set([...own, ...Object.values(value).flatMap((one) => [...neededIn(one)])]);
}

interface UnknownField {
  path: readonly PropertyKey[];
  key: string;
}

/** The fields that a schema does not know; in a union, for the branches that the record would match without them. */
function unknownIn(issues: readonly Issue[], above: readonly PropertyKey[] = []): UnknownField[] {
  return issues.flatMap((issue): UnknownField[] => {
    const path = [...above, ...issue.path];
    switch (issue.code) {
      case 'unrecognized_keys':
        return issue.keys.map((key) => ({ path, key }));
      case 'invalid_union':
        return issue.errors.filter(hasUnknownAlone).flatMap((branch) => unknownIn(branch, path));
      default:
        return [];
    }
  });
}

function hasUnknownAlone(issues: readonly Issue[]): boolean {
  return issues.every(
    (issue) =>
      issue.code === 'unrecognized_keys' ||
      (issue.code === 'invalid_union' && issue.errors.some(hasUnknownAlone)),
  );
}

function remove(value: unknown, path: readonly PropertyKey[], key: string): void {
  let holder = value;
  for (const step of path) holder = isHolder(holder) ? holder[step] : undefined;
  if (isHolder(holder)) delete holder[key];
}

function isHolder(value: unknown): value is Holder {
  return typeof value === 'object' && value !== null;
}
