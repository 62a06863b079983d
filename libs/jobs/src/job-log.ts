import { z } from 'zod';

/** The events of a job’s log: those that matter to whoever waits for the job, but none that occur for each shard. */
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

/** A line before it is stored and gets its time. */
export type JobNote = Omit<JobLogLine, 'at'>;
export type NoteJob = (note: JobNote) => void;
