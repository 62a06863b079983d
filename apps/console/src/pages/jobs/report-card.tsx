import type { DocumentReport, Job, MoreReports } from '@embedmill/jobs';
import { useState } from 'preact/hooks';
import { Button } from '../../parts/button.tsx';
import { Card, Shown } from '../../parts/card.tsx';
import { useLoaded } from '../../server/use-server.ts';
import { useLocale } from '../../words/locale.tsx';
import { isUnfinished } from './job-state.tsx';
import { reportsOf, type ReasonGroup } from './reports.ts';

/** While a job runs, its reports grow. */
const LOOK_MS = 5000;
const FIRST_LINES = 20;
const MORE_LINES = 200;

/** What failed, or was warned of, by its reason, with the lines themselves. */
export function ReportCard({ job, kind }: { job: Job; kind: 'failures' | 'warnings' }) {
  const { t, format } = useLocale();
  const path = `api/v1/jobs/${encodeURIComponent(job.id)}/${kind}`;
  const loaded = useLoaded(
    `${path} ${job.state}`,
    async (server, signal) => reportsOf(await server.lines<DocumentReport | MoreReports>(path, signal)),
    isUnfinished(job) ? LOOK_MS : undefined,
  );
  if (kind === 'warnings' && (loaded.data?.count ?? 0) === 0) return null;
  return (
    <Card
      title={t(`job.${kind}`)}
      whole
      actions={
        loaded.data !== undefined && <span class="muted small">{format.count(loaded.data.count)}</span>
      }
    >
      <Shown of={loaded}>
        {({ groups, more }) => (
          <>
            {groups.map((group) => (
              <Group key={group.code} group={group} />
            ))}
            {more > 0 && (
              <p class="muted report-more">{t('job.moreReports', { count: format.count(more) })}</p>
            )}
          </>
        )}
      </Shown>
    </Card>
  );
}

function Group({ group: { code, reports, retryable, message } }: { group: ReasonGroup }) {
  const { t, format } = useLocale();
  const [shown, setShown] = useState(0);
  return (
    <div class="reason">
      <div class="reason-head">
        <div class="stack">
          <span>
            <code>{code}</code> <span class="muted">× {format.count(reports.length)}</span>
          </span>
          <span class="muted small break">{message}</span>
        </div>
        <div class="actions">
          {retryable && (
            <span class="badge" data-tone="note">
              {t('job.retryable')}
            </span>
          )}
          <Button size="tiny" onClick={() => setShown(shown === 0 ? FIRST_LINES : 0)}>
            {shown === 0 ? t('job.lines') : t('job.noLines')}
          </Button>
        </div>
      </div>
      {shown > 0 && (
        <div class="table-box" tabIndex={0} role="region" aria-label={t('job.lines')}>
          <table>
            <thead>
              <tr>
                <th scope="col" class="number">
                  {t('line')}
                </th>
                <th scope="col">{t('document')}</th>
                <th scope="col">{t('why')}</th>
              </tr>
            </thead>
            <tbody>
              {reports.slice(0, shown).map((report) => (
                <tr key={`${report.file ?? ''} ${report.line}`}>
                  <td class="number muted">
                    {report.file !== undefined && `${report.file}:`}
                    {format.count(report.line)}
                  </td>
                  <td class="mono break">{report.id ?? '–'}</td>
                  <td class="break">{report.message}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {shown > 0 && shown < reports.length && (
        <Button kind="plain" onClick={() => setShown(shown + MORE_LINES)}>
          {t('more')}
        </Button>
      )}
    </div>
  );
}
