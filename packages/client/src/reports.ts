import type { CallOptions, Connection } from './connection.ts';
import { valuesOf } from './lines.ts';
import type { DocumentReport, Schemas } from './schemas.ts';

export type ReportKind = 'failures' | 'warnings';

/**
 * A job's reports on documents, one by one as the server sends them. If it does not list all, the generator returns how many
 * more there were.
 */
export async function* readReports(
  server: Connection,
  id: string,
  kind: ReportKind,
  options: CallOptions = {},
): AsyncGenerator<DocumentReport, number> {
  const params = { path: { id } };
  const { data: stream } = await server.lasting(
    (api, init) => api.GET(`/api/v1/jobs/{id}/${kind}`, { ...init, params, parseAs: 'stream' }),
    options,
  );
  if (!stream) return 0;
  try {
    for await (const value of valuesOf(stream)) {
      const report = value as DocumentReport | Schemas['MoreReports'];
      if ('more' in report) return report.more;
      yield report;
    }
  } catch (error) {
    throw server.lost(error, options);
  }
  return 0;
}
