import { isFinished, type Job } from '@embedmill/jobs';
import { wholeRecord, type IngestRecord } from './ingest-record.ts';

const PAUSED = { code: 'queue_paused', message: 'the queue is paused; "embedmill resume" resumes it' };

/** A job as the API shows it; `hold` is the reason why unfinished jobs do not continue. */
export function viewOf(
  submitted: IngestRecord,
  createdAt: number,
  hold: { paused?: boolean; trouble?: Job['waitingFor'] } = {},
  now = Date.now(),
): Job {
  const record = wholeRecord(submitted);
  const isOver = isFinished(record.state);
  const paused = !isOver && hold.paused === true;
  const started = record.startedAt === null ? undefined : Date.parse(record.startedAt);
  const ended = record.finishedAt === null ? now : Date.parse(record.finishedAt);
  return {
    id: record.id,
    collection: record.collection.name,
    sequence: record.sequence,
    state: record.state,
    source: record.label,
    mode: record.mode ?? 'upsert',
    dryRun: record.purpose === 'compare',
    sourceName: record.sourceName ?? null,
    priority: record.priority ?? 'normal',
    ...(record.tenant !== undefined && { tenant: record.tenant }),
    retryOf: record.retryOf,
    ...record.progress,
    scanned: isScanned(record),
    webhook: record.webhook === undefined ? null : record.webhook.url,
    output: outputOf(record),
    error: record.error,
    paused,
    waitingFor: paused ? PAUSED : isOver ? null : (hold.trouble ?? null),
    createdAt: new Date(createdAt).toISOString(),
    startedAt: record.startedAt,
    finishedAt: isOver ? record.finishedAt : null,
    seconds: started === undefined ? 0 : Math.max(0, ended - started) / 1000,
  };
}

function outputOf({ sink, output }: IngestRecord): Job['output'] {
  if (sink === undefined || output === undefined) return null;
  return { format: sink.format, bytes: output.size, to: sink.to ?? null };
}

/** Whether all lines of the job's source have been counted. */
function isScanned({ state, progress, unscanned }: IngestRecord): boolean {
  if (unscanned !== undefined) return false;
  return progress.shards > 0 || state === 'running' || state === 'completed';
}
