import { z } from 'zod';
import { vectorFormSchema } from './batch.ts';
import { roleSchema } from './query.ts';

/** Of a job that embeds the rows of a Cohere dataset: what was asked for, and what its output has of each row. */
export const datasetJobSchema = z.strictObject({
  input: z.string().meta({ description: 'The dataset’s id.' }),
  name: z.string().nullable(),
  model: z.string().meta({ description: 'As the request names it.' }),
  role: roleSchema,
  prefix: z.string().optional(),
  keep: z.enum(['start', 'end']).meta({ description: 'Of a text that is longer than the model reads.' }),
  forms: z.array(vectorFormSchema).min(1),
  fields: z.array(z.string()).meta({ description: 'What is kept of each row beside its text.' }),
});
export type DatasetJob = z.infer<typeof datasetJobSchema>;
