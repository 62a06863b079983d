import { z } from 'zod';

/** What a job’s log tells of: the events that matter to whoever waits for it, and none that come with each shard. */
export const JOB_EVENTS = [
  'accepted',
  'scan_waits',
  'scan_began',
  'scan_ended',
  'room_waits',
  'job_returned',
  'shard_returned',
  'shard_failed',
  'shard_lost',
  'retried',
  'cancel_asked',
  'priority_changed',
  'webhook_delivered',
  'webhook_failed',
  'ended',
] as const;

export const jobLogLineSchema = z
  .strictObject({
    at: z.iso.datetime(),
    level: z.enum(['info', 'warn', 'error']),
    event: z.enum(JOB_EVENTS),
    text: z.string(),
  })
  .meta({ id: 'JobLogLine' });
export type JobLogLine = z.infer<typeof jobLogLineSchema>;

/** A line before it is kept, which gives it its time. */
export type JobNote = Omit<JobLogLine, 'at'>;
export type NoteJob = (note: JobNote) => void;
