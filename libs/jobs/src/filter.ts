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

export const filterSchema: z.ZodType<Filter> = z
  .lazy(() =>
    z.union([
      z.strictObject({ and: z.array(filterSchema).min(1).max(64) }),
      z.strictObject({ or: z.array(filterSchema).min(1).max(64) }),
      z.strictObject({ not: filterSchema }),
      conditionSchema,
    ]),
  )
  .meta({ id: 'Filter', description: 'A condition on filterable metadata fields or `document_id`.' });
