import { z } from 'zod';

const scalar = z.union([z.string(), z.number(), z.boolean()]);
const bound = z.union([z.number(), z.string()]);

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

export const filterSchema: z.ZodType<Filter> = z
  .lazy(() =>
    z.union([
      z.strictObject({ and: z.array(filterSchema).min(1).max(64) }),
      z.strictObject({ or: z.array(filterSchema).min(1).max(64) }),
      z.strictObject({ not: filterSchema }),
      z.strictObject({ field: z.string().min(1), eq: scalar }),
      z.strictObject({ field: z.string().min(1), in: z.array(scalar).min(1).max(1000) }),
      z
        .strictObject({
          field: z.string().min(1),
          gte: bound.optional(),
          gt: bound.optional(),
          lte: bound.optional(),
          lt: bound.optional(),
        })
        .refine((range) => Object.keys(range).length > 1, 'needs one of eq, in, gte, gt, lte, lt'),
    ]),
  )
  .meta({ id: 'Filter', description: 'A condition on filterable metadata fields or `document_id`.' });
