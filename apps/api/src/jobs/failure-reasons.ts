import { z } from 'zod';
import { ERRORS, type DocumentReport, type MoreReports } from '@embedmill/jobs';

const SAMPLES = 5;

const sampleSchema = z.strictObject({
  line: z.int().meta({ description: 'Its line in the source, or in its file.' }),
  file: z.string().optional(),
  id: z.string().nullable(),
  message: z.string(),
});
export const failureReasonsSchema = z
  .strictObject({
    reasons: z
      .array(
        z.strictObject({
          code: z.string(),
          title: z.string().meta({ description: 'The meaning of the code.' }),
          retryable: z.boolean().meta({ description: 'Whether a retry of the same documents can succeed.' }),
          documents: z.int().meta({ description: 'Listed documents that failed for this reason.' }),
          samples: z
            .array(sampleSchema)
            .meta({ description: 'The first of them, in the order of the source.' }),
        }),
      )
      .meta({ description: 'The reasons, most frequent first.' }),
    unnamed: z.int().meta({ description: 'Failed documents beyond those that are listed.' }),
  })
  .meta({ id: 'FailureReasons' });
export type FailureReasons = z.infer<typeof failureReasonsSchema>;

/**
 * Groups failure reports by code. Reads NDJSON in whole lines, and keeps a bounded number of samples of each reason.
 */
export async function failureReasons(reports: AsyncIterable<Uint8Array>): Promise<FailureReasons> {
  const reasons = new Map<DocumentReport['code'], FailureReasons['reasons'][number]>();
  let unnamed = 0;
  for await (const lines of reports) {
    for (const line of Buffer.from(lines).toString('utf8').split('\n')) {
      if (line === '') continue;
      const report = JSON.parse(line) as DocumentReport | MoreReports;
      if ('more' in report) {
        unnamed += report.more;
        continue;
      }
      const { code, retryable } = report;
      const reason = reasons.get(code) ?? {
        code,
        title: ERRORS[code].title,
        retryable,
        documents: 0,
        samples: [],
      };
      reason.documents += 1;
      if (reason.samples.length < SAMPLES) reason.samples.push(sampleOf(report));
      reasons.set(code, reason);
    }
  }
  return { reasons: [...reasons.values()].sort((a, b) => b.documents - a.documents), unnamed };
}

function sampleOf({ line, file, id, message }: DocumentReport): z.infer<typeof sampleSchema> {
  return { line, ...(file !== undefined && { file }), id, message };
}
