import { z } from 'zod';

const scalar = z.union([z.string(), z.number(), z.boolean()], 'must be a string, a number or a boolean');
const bound = z.union([z.number(), z.string()], 'must be a number, or a date as a string').optional();

export type Scalar = z.infer<typeof scalar>;

/** A condition on filterable fields (or `document_id`), composed with and, or, not. */
export type Filter =
  | { and: Filter[] }
  | { or: Filter[] }
  | { not: Filter }
  | { field: string; eq: Scalar }
  | { field: string; in: Scalar[] }
  | {
      field: string;
      gte?: number | string | undefined;
      gt?: number | string | undefined;
      lte?: number | string | undefined;
      lt?: number | string | undefined;
    };

/** One branch for all conditions on a field, so that what is wrong in one is said of it alone. */
const conditionSchema = z
  .strictObject({
    field: z.string().min(1),
    eq: scalar.optional(),
    in: z.array(scalar).min(1).max(1000).optional(),
    gte: bound,
    gt: bound,
    lte: bound,
    lt: bound,
  })
  .refine(({ eq, in: list, gte, gt, lte, lt }) => {
    const isRange = [gte, gt, lte, lt].some((value) => value !== undefined);
    return [eq !== undefined, list !== undefined, isRange].filter(Boolean).length === 1;
  }, 'needs eq, or in, or a range of gte, gt, lte, lt, and no two of these') as unknown as z.ZodType<Filter>;

const nestedSchema: z.ZodType<Filter> = z
  .lazy(() =>
    z.union([
      z.strictObject({ and: z.array(nestedSchema).min(1).max(64) }),
      z.strictObject({ or: z.array(nestedSchema).min(1).max(64) }),
      z.strictObject({ not: nestedSchema }),
      conditionSchema,
    ]),
  )
  .meta({ id: 'Filter', description: 'A condition on filterable metadata fields or `document_id`.' });

/** How deep and, or and not may nest: whatever walks a filter calls itself for each. */
const MAX_LEVELS = 16;
/** Conditions, and values that they compare with: what zvec, which takes 4096 comparisons, has room for. */
const MAX_CONDITIONS = 512;
const MAX_VALUES = 10_000;

/** Bounded before it is walked. Its size is that of what the user sent, so that it need not be valid. */
export const filterSchema: z.ZodType<Filter> = z.preprocess((given, context) => {
  const fault = excessIn(given);
  if (fault === undefined) return given;
  context.addIssue({ code: 'custom', message: fault });
  return z.NEVER;
}, nestedSchema);

/** Why a filter is too large, or undefined. Level by level: a filter that is too deep must not be recursed into. */
function excessIn(filter: unknown): string | undefined {
  let level: unknown[] = [filter];
  let conditions = 0;
  let values = 0;
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > MAX_LEVELS) return `and, or and not are nested deeper than ${MAX_LEVELS} levels`;
    const deeper: unknown[] = [];
    for (const one of level) {
      if (typeof one !== 'object' || one === null) continue;
      const { and, or, not, in: list } = one as Record<string, unknown>;
      const parts = [and, or].flatMap((part) => (Array.isArray(part) ? (part as unknown[]) : []));
      if (not !== undefined) parts.push(not);
      if (parts.length === 0) conditions += 1;
      if (Array.isArray(list)) values += list.length;
      if (conditions > MAX_CONDITIONS) return `it has more than ${MAX_CONDITIONS} conditions`;
      if (values > MAX_VALUES) return `its lists have more than ${MAX_VALUES} values together`;
      for (const part of parts) deeper.push(part);
    }
    level = deeper;
  }
  return undefined;
}
