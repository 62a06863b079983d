import { z } from 'zod';
import { EmbedmillError, type JobId, type JobState } from '@embedmill/jobs';
import type { IngestRecord } from '@embedmill/queue';
import type { ApiParts } from '../parts.ts';
import { outputDatasetOf } from './dataset-records.ts';

/** The `source` that these jobs show. */
export const EMBED_JOB = 'embed job';
/** All in one list, because Cohere's clients do not page. */
const MOST_LISTED = 1000;

const STATUS_OF = {
  queued: 'processing',
  scanning: 'processing',
  running: 'processing',
  completed: 'complete',
  cancelled: 'cancelled',
  failed: 'failed',
} as const satisfies Record<JobState, string>;

/** An embed job in Cohere's format. */
export const embedJobViewSchema = z.strictObject({
  job_id: z.string(),
  name: z.string().optional(),
  status: z.enum(['processing', 'complete', 'cancelled', 'failed']),
  created_at: z.string(),
  input_dataset_id: z.string(),
  output_dataset_id: z.string().optional(),
  model: z.string(),
  truncate: z.enum(['START', 'END']),
  meta: z.strictObject({
    api_version: z.strictObject({ version: z.literal('1') }),
    billed_units: z.strictObject({ input_tokens: z.int() }),
    warnings: z.array(z.string()),
  }),
});
export type EmbedJobView = z.infer<typeof embedJobViewSchema>;

type Jobs = Pick<ApiParts['queue'], 'getJob' | 'getSubmission' | 'listJobs'>;

/** Errors: `job_not_found`, also for a job of another kind. */
export async function requireEmbedJob(queue: Jobs, id: JobId): Promise<EmbedJobView> {
  const view = await embedJobOf(queue, id);
  if (view !== undefined) return view;
  throw new EmbedmillError('job_not_found', `there is no embed job with the id ${id.slice(0, 100)}`);
}

/** Newest first. */
export async function embedJobsOf(queue: Jobs): Promise<EmbedJobView[]> {
  const found: EmbedJobView[] = [];
  let after: string | undefined;
  do {
    const page = await queue.listJobs({ source: EMBED_JOB, limit: MOST_LISTED, after });
    for (const { id } of page.jobs) {
      const view = await embedJobOf(queue, id as JobId);
      if (view !== undefined) found.push(view);
    }
    after = page.next ?? undefined;
  } while (after !== undefined && found.length < MOST_LISTED);
  return found;
}

async function embedJobOf(queue: Jobs, id: JobId): Promise<EmbedJobView | undefined> {
  const record = await queue.getSubmission(id);
  const job = await queue.getJob(id);
  if (record?.dataset === undefined || job === undefined) return undefined;
  const { name, input, model, keep } = record.dataset;
  const { documents, failed, tokens } = record.progress;
  return {
    job_id: id,
    ...(name !== null && { name }),
    status: STATUS_OF[record.state],
    created_at: job.createdAt,
    input_dataset_id: input,
    ...(record.state === 'completed' && { output_dataset_id: outputDatasetOf(id) }),
    model,
    truncate: keep === 'end' ? 'START' : 'END',
    meta: {
      api_version: { version: '1' },
      billed_units: { input_tokens: tokens },
      warnings: warningsOf(record.error, { documents, failed }),
    },
  };
}

function warningsOf(
  error: IngestRecord['error'],
  { documents, failed }: Pick<IngestRecord['progress'], 'documents' | 'failed'>,
): string[] {
  const warnings = error === null ? [] : [error.message];
  if (failed > 0)
    warnings.push(
      `${failed} of ${documents} rows could not be embedded and are not in the output; GET /api/v1/jobs/{job_id}/failures says why`,
    );
  return warnings;
}
