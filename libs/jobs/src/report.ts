import { z } from 'zod';
import { errorCodeSchema } from './errors.ts';

/** Reports on single documents: failures, and warnings on stored documents. */
export const REPORT_KINDS = ['failures', 'warnings'] as const;
export type ReportKind = (typeof REPORT_KINDS)[number];

/** One line of a job's failures or warnings: the document, its place in the source, and the reason. */
export const documentReportSchema = z
  .strictObject({
    line: z.int(),
    id: z.string().nullable(),
    code: errorCodeSchema,
    message: z.string(),
    retryable: z.boolean(),
    offset: z.int().meta({ description: 'The byte at which the line begins in the source.' }),
    length: z
      .int()
      .meta({ description: 'The length of the line in bytes; 0 if the source could not be read.' }),
    file: z.string().optional().meta({
      description: 'For a job of several files: the file that contains the line; `line` counts within it.',
    }),
    by: z
      .int()
      .optional()
      .meta({ description: 'The line of the document with the same id that takes precedence.' }),
  })
  .meta({ id: 'DocumentReport' });
export type DocumentReport = z.infer<typeof documentReportSchema>;

/** The last line of failures or warnings if there was no room for all. */
export const moreReportsSchema = z
  .strictObject({
    more: z.int().meta({ description: 'The number of further documents that are not listed.' }),
  })
  .meta({ id: 'MoreReports' });
export type MoreReports = z.infer<typeof moreReportsSchema>;

/** Room for this many reports with this many bytes as NDJSON lines; whichever is used up first. */
export const reportRoomSchema = z.strictObject({
  reports: z.int().nonnegative(),
  bytes: z.int().nonnegative(),
});
export type ReportRoom = z.infer<typeof reportRoomSchema>;

/** For both kinds: the room, or what was written. */
export const jobReportsSchema = z.strictObject({ failures: reportRoomSchema, warnings: reportRoomSchema });
export type JobReports = z.infer<typeof jobReportsSchema>;

/** A report has some 200 bytes; with long ids and messages up to six thousand. */
const BYTES_A_REPORT = 400;
/** The most reports of one shard, so that concurrent shards cannot write many more than their job may list. */
const SHARD_BYTES = 128 * 1024;
export const DEFAULT_MAX_REPORTS = 10_000;

/** How many reports of each kind a job may list. */
export function reportRoom(reports: number): ReportRoom {
  return { reports, bytes: reports * BYTES_A_REPORT };
}

/** How many reports of each kind a shard may write, given those of its job. */
export function shardReportRoom(most: ReportRoom, said: JobReports = NO_REPORTS): JobReports {
  const left = (kind: ReportKind): ReportRoom => ({
    reports: Math.max(0, most.reports - said[kind].reports),
    bytes: Math.min(SHARD_BYTES, Math.max(0, most.bytes - said[kind].bytes)),
  });
  return { failures: left('failures'), warnings: left('warnings') };
}

export const NO_REPORTS: JobReports = {
  failures: { reports: 0, bytes: 0 },
  warnings: { reports: 0, bytes: 0 },
};

export function addedReports(one: JobReports, other: JobReports): JobReports {
  const sum = (kind: ReportKind): ReportRoom => ({
    reports: one[kind].reports + other[kind].reports,
    bytes: one[kind].bytes + other[kind].bytes,
  });
  return { failures: sum('failures'), warnings: sum('warnings') };
}

/** Whether the room is exceeded. */
export function isBeyond(said: ReportRoom, most: ReportRoom): boolean {
  return said.reports > most.reports || said.bytes > most.bytes;
}
