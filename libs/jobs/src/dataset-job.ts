import { z } from 'zod';
import { vectorFormSchema } from './batch.ts';
import { roleSchema } from './query.ts';

/** For a job that embeds the rows of a Cohere dataset: the request, and what its output has of each row. */
export const datasetJobSchema = z.strictObject({
  input: z.string().meta({ description: 'The dataset’s id.' }),
  name: z.string().nullable(),
  model: z.string().meta({ description: 'The model as the request names it.' }),
  role: roleSchema,
  prefix: z.string().optional(),
  keep: z
    .enum(['start', 'end'])
    .meta({ description: 'Which end to keep of a text that exceeds the model’s limit.' }),
  forms: z.array(vectorFormSchema).min(1),
  fields: z
    .array(z.string())
    .meta({ description: 'The fields of each row to keep in addition to its text.' }),
});
export type DatasetJob = z.infer<typeof datasetJobSchema>;
