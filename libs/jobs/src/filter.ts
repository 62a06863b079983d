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
        .refine(({ north, south }) => north >= south, 'must have its north above its south'),
    ],
    'must be a circle {lat, lon, radius in metres} or a box {north, south, west, east} in degrees',
  )
  .meta({
    description: 'A circle or a box. A box whose west is greater than its east crosses the 180th meridian.',
  });
export type GeoArea = z.infer<typeof geoAreaSchema>;

const KINDS = 'eq, in, a range of gte, gt, lte, lt, exists, missing, prefix, text, or geo';

/** One branch for all conditions on a field, so that a fault in one is reported only for it. */
const conditionSchema = z
  .strictObject({
    field: z.string().min(1),
    eq: scalar.optional(),
    in: z.array(scalar).min(1).max(1000).optional(),
    gte: bound,
    gt: bound,
    lte: bound,
    lt: bound,
    exists: z.boolean().optional().meta({ description: 'Matches if the field has a value.' }),
    missing: z.boolean().optional().meta({ description: 'Matches if the field has no value.' }),
    prefix: z.string().min(1).max(512).optional().meta({ description: 'The prefix of a keyword.' }),
    text: z.string().min(1).max(4096).optional().meta({ description: 'Words that a text must all contain.' }),
    geo: geoAreaSchema.optional(),
  })
  .refine(({ gte, gt, lte, lt, eq, in: list, exists, missing, prefix, text, geo }) => {
    const isRange = [gte, gt, lte, lt].some((value) => value !== undefined);
    const others = [eq, list, exists, missing, prefix, text, geo].filter((kind) => kind !== undefined);
    return others.length + (isRange ? 1 : 0) === 1;
  }, `needs exactly one of ${KINDS}`) as unknown as z.ZodType<Filter>;

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

/** How deep and, or and not may nest, because code that walks a filter recurses for each level. */
const MAX_LEVELS = 16;
/** The most conditions, and values to compare with: zvec accepts 4096 comparisons. */
const MAX_CONDITIONS = 512;
const MAX_VALUES = 10_000;

/** Bounds the size before the filter is walked, whether or not it is valid. */
export const filterSchema: z.ZodType<Filter> = z.preprocess((given, context) => {
  const fault = excessIn(given);
  if (fault === undefined) return given;
  context.addIssue({ code: 'custom', message: fault });
  return z.NEVER;
}, nestedSchema);

/** Why a filter is too large, or undefined. Goes level by level, because it must not recurse into a filter that is too deep. */
function excessIn(filter: unknown): string | undefined {
  let level = [filter].filter(isRecord);
  let conditions = 0;
  let values = 0;
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > MAX_LEVELS) return `and, or and not are nested deeper than ${MAX_LEVELS} levels`;
    for (const one of level) {
      conditions += conditionsOf(one);
      values += Array.isArray(one['in']) ? one['in'].length : 0;
      if (conditions > MAX_CONDITIONS) return `it has more than ${MAX_CONDITIONS} conditions`;
      if (values > MAX_VALUES) return `its lists have more than ${MAX_VALUES} values in total`;
    }
    level = level.flatMap(partsOf).filter(isRecord);
  }
  return undefined;
}

type Unchecked = Record<string, unknown>;

function isRecord(value: unknown): value is Unchecked {
  return typeof value === 'object' && value !== null;
}

/** The filters that and, or and not combine. */
function partsOf({ and, or, not }: Unchecked): unknown[] {
  const lists = [and, or].flatMap((part) => (Array.isArray(part) ? (part as unknown[]) : []));
  return not === undefined ? lists : [...lists, not];
}

/** A text counts by its words, because each word is compared by itself. */
function conditionsOf(filter: Unchecked): number {
  if (partsOf(filter).length > 0) return 0;
  const { text } = filter;
  return typeof text === 'string' ? text.split(/\s+/).length : 1;
}
