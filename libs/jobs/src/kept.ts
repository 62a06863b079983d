import type { z } from 'zod';

type Issue = z.core.$ZodIssue;
type Holder = Record<PropertyKey, unknown>;

/** Fields that are not known lie behind one another at most so deep: each look takes away those of one depth. */
const MOST_LOOKS = 8;

/**
 * A record as it was kept, read by a version that may be older than the one that wrote it, as after a roll back. Fields that
 * this version does not know are passed over, at any depth, unless the record says in `needs` that it has to be understood:
 * so a later version adds what informs, and names there what changes the meaning of the rest. Nothing that is passed over is
 * in what is read, nor in what is written of it.
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

/** As `readKept`; throws where the record is none, or needs what this version does not know. */
export function parseKept<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const read = readKept(schema, value);
  if (read.success) return read.data;
  throw read.error;
}

/** The fields that a record, or one within it, says to be needed. */
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

/** Those fields that a schema does not know; in a union, of the branches that the record would fit without them. */
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
