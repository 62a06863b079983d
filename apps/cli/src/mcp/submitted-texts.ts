import { z } from 'zod';
import { isFinished, type Client, type Document, type Job } from '@embedmill/client';
import type { Found } from './found.ts';

/** The most documents of a call; more should be submitted as a file. */
const MOST_TEXTS = 100;
/** Clients give up on a call after a minute. */
const WAIT_MS = 40_000;
/** The most listed failures. */
const SHOWN_FAILURES = 10;

export const textsSchema = z.strictObject({
  documents: z
    .array(
      z.strictObject({
        id: z.string().min(1).describe('Unique within the collection.'),
        text: z.string().min(1),
        title: z.string().optional(),
        metadata: z.record(z.string(), z.unknown()).optional().describe('Returned by searches.'),
      }),
    )
    .min(1)
    .max(MOST_TEXTS),
});
export const submittedSchema = z.object({
  job: z.string(),
  state: z.string().describe('`completed` once all are stored; otherwise the job is still running.'),
  stored: z.int(),
  unchanged: z.int().describe('Documents that were already stored unchanged.'),
  failures: z.array(z.object({ id: z.string().nullable(), code: z.string(), message: z.string() })),
});
type Text = z.infer<typeof textsSchema>['documents'][number];

/** Submits them as one job and waits for its end as long as callers accept. */
export async function submitTexts(
  client: Client,
  collection: string,
  documents: Text[],
  caller: AbortSignal,
): Promise<Found> {
  const { id } = await client.submit(collection, documents as Document[], { signal: caller });
  const job = await endedWithin(client, id, caller);
  const failures: z.infer<typeof submittedSchema>['failures'] = [];
  if (isFinished(job.state) && job.failed > 0)
    for await (const { id: failed, code, message } of client.failures(id, { signal: caller })) {
      failures.push({ id: failed, code, message });
      if (failures.length === SHOWN_FAILURES) break;
    }
  const { state, stored, skipped: unchanged, failed } = job;
  const lines = failures.map((one) => `\n${one.id ?? 'a document'}: ${one.code}: ${one.message}`);
  const counts = `${stored} stored, ${unchanged} unchanged, ${failed} failed`;
  const text = isFinished(state)
    ? `${counts}.`
    : `Job ${id} is ${state} and still running: ${counts} so far.`;
  return [{ job: id, state, stored, unchanged, failures }, text + lines.join('')];
}

/** The finished job, or its state after a while. */
async function endedWithin(client: Client, id: string, caller: AbortSignal): Promise<Job> {
  const patience = AbortSignal.timeout(WAIT_MS);
  try {
    return await client.jobs.finished(id, { signal: AbortSignal.any([caller, patience]) });
  } catch (error) {
    if (!patience.aborted || caller.aborted) throw error;
    return client.jobs.get(id, { signal: caller });
  }
}
