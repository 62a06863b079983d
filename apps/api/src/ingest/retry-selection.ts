import { z } from 'zod';
import { EmbedmillError, errorCodeSchema, type DocumentReport } from '@embedmill/jobs';

/** Selects the failures of a job to retry: those that match all given criteria. */
export const retrySelectionSchema = z.strictObject({
  codes: z
    .array(errorCodeSchema)
    .min(1)
    .max(100)
    .optional()
    .meta({ description: 'Documents that failed with one of these error codes.' }),
  lines: z
    .array(z.int().positive())
    .min(1)
    .max(10_000)
    .optional()
    .meta({ description: 'Documents on these lines of the source; not for jobs of several files.' }),
  ids: z
    .array(z.string().min(1))
    .min(1)
    .max(10_000)
    .optional()
    .meta({ description: 'Documents with these ids.' }),
});
export type RetrySelection = z.infer<typeof retrySelectionSchema>;

/**
 * Whether a failure is selected; undefined if all are. `isOfFiles`: line numbers are counted within each of the job’s
 * files. Errors: `invalid_request`.
 */
export function selectedBy(
  selection: RetrySelection | null | undefined,
  isOfFiles: boolean,
): ((report: DocumentReport) => boolean) | undefined {
  const { codes, lines, ids } = selection ?? {};
  if (codes === undefined && lines === undefined && ids === undefined) return undefined;
  if (lines !== undefined && isOfFiles) {
    const message = 'the job has several files, each with its own line numbers; select documents by "ids"';
    throw new EmbedmillError('invalid_request', message, { details: [{ path: 'lines', message }] });
  }
  const [byCode, byLine, byId] = [
    codes && new Set<string>(codes),
    lines && new Set(lines),
    ids && new Set(ids),
  ];
  return ({ code, line, id }) =>
    (byCode === undefined || byCode.has(code)) &&
    (byLine === undefined || byLine.has(line)) &&
    (byId === undefined || (id !== null && byId.has(id)));
}
