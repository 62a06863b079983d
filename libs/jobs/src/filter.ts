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
  | { field: string; exists: boolean }
  | { field: string; missing: boolean }
  | { field: string; prefix: string }
  | { field: string; text: string }
  | { field: string; geo: GeoArea }
  | {
      field: string;
      gte?: number | string | undefined;
      gt?: number | string | undefined;
      lte?: number | string | undefined;
      lt?: number | string | undefined;
    };

const latitude = z.number().min(-90).max(90);
const longitude = z.number().min(-180).max(180);

export const geoAreaSchema = z
  .union(
    [
      z.strictObject({
        lat: latitude,
        lon: longitude,
        radius: z.number().positive().meta({ description: 'Metres.' }),
      }),
      z
        .strictObject({ north: latitude, south: latitude, west: longitude, east: longitude })
        .refine(({ north, south }) => north >= south, 'has its north south of its south'),
    ],
    'must be a circle {lat, lon, radius} with metres, or a box {north, south, west, east} with degrees',
  )
  .meta({
    description: 'A circle, or a box; a box whose west is greater than its east crosses the 180th meridian.',
  });
export type GeoArea = z.infer<typeof geoAreaSchema>;

const KINDS = 'eq, in, a range of gte, gt, lte, lt, exists, missing, prefix, text, or geo';

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
    exists: z.boolean().optional().meta({ description: 'Whether it has a value.' }),
    missing: z.boolean().optional().meta({ description: 'Whether it has none.' }),
    prefix: z.string().min(1).max(512).optional().meta({ description: 'What a keyword begins with.' }),
    text: z.string().min(1).max(4096).optional().meta({ description: 'Words that a text has, all of them.' }),
    geo: geoAreaSchema.optional(),
  })
  .refine(({ gte, gt, lte, lt, eq, in: list, exists, missing, prefix, text, geo }) => {
    const isRange = [gte, gt, lte, lt].some((value) => value !== undefined);
    const others = [eq, list, exists, missing, prefix, text, geo].filter((kind) => kind !== undefined);
    return others.length + (isRange ? 1 : 0) === 1;
  }, `needs one of ${KINDS}, and no two of these`) as unknown as z.ZodType<Filter>;

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
      const { and, or, not, in: list, text } = one as Record<string, unknown>;
      const parts = [and, or].flatMap((part) => (Array.isArray(part) ? (part as unknown[]) : []));
      if (not !== undefined) parts.push(not);
      // Each word of a text is compared by itself.
      if (parts.length === 0) conditions += typeof text === 'string' ? text.split(/\s+/).length : 1;
      if (Array.isArray(list)) values += list.length;
      if (conditions > MAX_CONDITIONS) return `it has more than ${MAX_CONDITIONS} conditions`;
      if (values > MAX_VALUES) return `its lists have more than ${MAX_VALUES} values together`;
      for (const part of parts) deeper.push(part);
    }
    level = deeper;
  }
  return undefined;
}
