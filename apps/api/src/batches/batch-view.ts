import { z } from 'zod';
import type { JobId } from '@embedmill/jobs';
import { parseRecord, type IngestRecord } from '@embedmill/queue';
import type { ApiParts } from '../parts.ts';
import { BATCH_ENDPOINT, type BatchFault } from './batch-lines.ts';
import { seconds, type BatchRecord } from './client-records.ts';

const STATUSES = [
  'validating',
  'failed',
  'in_progress',
  'finalizing',
  'completed',
  'expired',
  'cancelling',
  'cancelled',
] as const;
type BatchStatus = (typeof STATUSES)[number];
const time = z.int().nullable();

/** A batch in OpenAI's format; times are epoch seconds. */
export const batchViewSchema = z.strictObject({
  id: z.string(),
  object: z.literal('batch'),
  endpoint: z.string(),
  model: z.string().nullable(),
  errors: z
    .strictObject({
      object: z.literal('list'),
      data: z.array(
        z.strictObject({
          code: z.string(),
          message: z.string(),
          param: z.string().nullable(),
          line: z.int().nullable(),
        }),
      ),
    })
    .nullable(),
  input_file_id: z.string(),
  completion_window: z.string(),
  status: z.enum(STATUSES),
  output_file_id: z.string().nullable(),
  error_file_id: z.string().nullable(),
  created_at: z.int(),
  in_progress_at: time,
  expires_at: time,
  finalizing_at: time,
  completed_at: time,
  failed_at: time,
  expired_at: time,
  cancelling_at: time,
  cancelled_at: time,
  request_counts: z.strictObject({ total: z.int(), completed: z.int(), failed: z.int() }),
  metadata: z.record(z.string(), z.string()).nullable(),
});
export type BatchView = z.infer<typeof batchViewSchema>;

/** A batch in the current state of its job, from the queue or, if the queue has lost it, from the spool. */
export async function viewOfBatch(
  batch: BatchRecord,
  { queue, spool }: Pick<ApiParts, 'queue' | 'spool'>,
): Promise<BatchView> {
  const job = batch.job as JobId;
  const record =
    (await queue.getSubmission(job)) ??
    (await keptRecord(job, spool, 'finished')) ??
    (await keptRecord(job, spool, 'unfinished'));
  const status = statusOf(batch, record);
  const { documents = 0, stored = 0, failed = 0 } = record?.progress ?? {};
  const started = secondsOf(record?.startedAt);
  const ended = secondsOf(record?.finishedAt);
  const at = (wanted: BatchStatus): number | null => (status === wanted ? ended : null);
  return {
    id: batch.id,
    object: 'batch',
    endpoint: BATCH_ENDPOINT,
    model: record?.collection.profile.model ?? null,
    errors: status === 'failed' ? await errorsOf(batch, record, spool) : null,
    input_file_id: batch.input,
    completion_window: batch.completionWindow,
    status,
    output_file_id: record?.batchFiles?.output ?? null,
    error_file_id: record?.batchFiles?.errors ?? null,
    created_at: seconds(batch.createdAt),
    in_progress_at: documents > 0 ? started : null,
    expires_at: seconds(batch.expiresAt),
    finalizing_at: at('completed'),
    completed_at: at('completed'),
    failed_at: at('failed'),
    expired_at: at('expired'),
    cancelling_at: batch.cancellingAt === undefined ? null : seconds(batch.cancellingAt),
    cancelled_at: at('cancelled'),
    request_counts: { total: documents, completed: stored, failed },
    metadata: batch.metadata,
  };
}

function statusOf(batch: BatchRecord, record: IngestRecord | undefined): BatchStatus {
  switch (record?.state) {
    case undefined:
    case 'queued':
    case 'scanning':
      return batch.cancellingAt === undefined ? 'validating' : 'cancelling';
    case 'running': {
      if (batch.cancellingAt !== undefined) return 'cancelling';
      const { shards, shardsDone } = record.progress;
      return shardsDone === shards ? 'finalizing' : 'in_progress';
    }
    case 'cancelled': {
      const isExpired = Date.parse(record.finishedAt ?? '') >= batch.expiresAt;
      return batch.cancellingAt === undefined && isExpired ? 'expired' : 'cancelled';
    }
    case 'completed':
    case 'failed':
      return record.state;
  }
}

async function errorsOf(
  { id }: BatchRecord,
  record: IngestRecord | undefined,
  spool: ApiParts['spool'],
): Promise<BatchView['errors']> {
  const kept = (await spool.batchFaults.read(id)) as { faults: BatchFault[] } | undefined;
  const { code = 'server_error', message = 'the batch was not processed' } = record?.error ?? {};
  return { object: 'list', data: kept?.faults ?? [{ code, message, param: null, line: null }] };
}

async function keptRecord(
  job: JobId,
  spool: ApiParts['spool'],
  state: 'finished' | 'unfinished',
): Promise<IngestRecord | undefined> {
  const kept = await spool.readRecord(job, state);
  return kept === undefined ? undefined : parseRecord(kept);
}

function secondsOf(when: string | null | undefined): number | null {
  return when === null || when === undefined ? null : seconds(Date.parse(when));
}
