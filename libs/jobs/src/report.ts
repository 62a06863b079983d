import { z } from 'zod';
import { errorCodeSchema } from './errors.ts';

/** What is said of single documents: those that failed, and those that were stored with something to tell. */
export const REPORT_KINDS = ['failures', 'warnings'] as const;
export type ReportKind = (typeof REPORT_KINDS)[number];

/** One line of a job's failures or warnings: which document, where it stands in the source, and why. */
export const documentReportSchema = z
  .strictObject({
    line: z.int(),
    id: z.string().nullable(),
    code: errorCodeSchema,
    message: z.string(),
    retryable: z.boolean(),
    offset: z.int().meta({ description: 'Where the line begins in the source, in bytes.' }),
    length: z.int().meta({ description: 'The line’s bytes; 0 where the source could not be read.' }),
    file: z
      .string()
      .optional()
      .meta({ description: 'Of a job of several files: the one that the line is of, and is counted in.' }),
    by: z.int().optional().meta({ description: 'The line whose document has the same id and wins.' }),
  })
  .meta({ id: 'DocumentReport' });
export type DocumentReport = z.infer<typeof documentReportSchema>;

/** The last line of failures or warnings that have no room for all. */
export const moreReportsSchema = z
  .strictObject({ more: z.int().meta({ description: 'How many documents more there were.' }) })
  .meta({ id: 'MoreReports' });
export type MoreReports = z.infer<typeof moreReportsSchema>;

/** Room for so many reports, of so many bytes as lines of NDJSON; whichever is used up first. */
export const reportRoomSchema = z.strictObject({
  reports: z.int().nonnegative(),
  bytes: z.int().nonnegative(),
});
export type ReportRoom = z.infer<typeof reportRoomSchema>;

/** Of both kinds: what there is room for, or what was written. */
export const jobReportsSchema = z.strictObject({ failures: reportRoomSchema, warnings: reportRoomSchema });
export type JobReports = z.infer<typeof jobReportsSchema>;

/** A report has some 200 bytes; with long ids and messages up to six thousand. */
const BYTES_A_REPORT = 400;
/** What one shard may say, so that all those under way together cannot say much more than their job may. */
const SHARD_BYTES = 128 * 1024;
export const DEFAULT_MAX_REPORTS = 10_000;

/** What a job may say of its documents, of each kind. */
export function reportRoom(reports: number): ReportRoom {
  return { reports, bytes: reports * BYTES_A_REPORT };
}

/** What a shard may say, of each kind, where its job has said so much. */
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

/** Whether there is more than there is room for. */
export function isBeyond(said: ReportRoom, most: ReportRoom): boolean {
  return said.reports > most.reports || said.bytes > most.bytes;
}
