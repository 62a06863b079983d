import type { RetrySelection } from '@embedmill/client';
import type { DocumentReport, Job } from '../../server/shapes.ts';
import { useState } from 'preact/hooks';
import { Button } from '../../parts/button.tsx';
import { Card, Shown } from '../../parts/card.tsx';
import { ProblemNotice } from '../../parts/notice.tsx';
import { goTo } from '../../shell/use-route.ts';
import { useAction, useLoaded } from '../../server/use-server.ts';
import { useLocale } from '../../words/locale.tsx';
import { isUnfinished } from './job-state.tsx';
import { reportsOf, type ReasonGroup } from './reports.ts';
import { whatToDo } from './what-to-do.ts';

/** How often the reports of a running job are read again. */
const LOOK_MS = 5000;
const FIRST_LINES = 20;
const MORE_LINES = 200;

/** Failures or warnings grouped by reason, with their lines. */
export function ReportCard({ job, kind }: { job: Job; kind: 'failures' | 'warnings' }) {
  const { t, format } = useLocale();
  const loaded = useLoaded(
    `${kind} ${job.id} ${job.state}`,
    (client, options) => reportsOf(client.jobs[kind](job.id, options)),
    isUnfinished(job) ? LOOK_MS : undefined,
  );
  const isRetryable = kind === 'failures' && !isUnfinished(job);
  const retry = useAction(async (client, selection: RetrySelection) =>
    goTo('jobs', [(await client.jobs.retry(job.id, selection)).id]),
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
            {retry.problem !== undefined && <ProblemNotice problem={retry.problem} />}
            {groups.map((group) => (
              <Group key={group.code} group={group} onRetry={isRetryable ? retry.run : undefined} />
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

function Group({
  group: { code, reports, retryable, message },
  onRetry,
}: {
  group: ReasonGroup;
  /** Absent if nothing can be retried. */
  onRetry: ((selection: RetrySelection) => Promise<void>) | undefined;
}) {
  const { t, format } = useLocale();
  const [shown, setShown] = useState(0);
  const [chosen, setChosen] = useState<ReadonlySet<DocumentReport>>(new Set());
  const isChoosable = (report: DocumentReport) => report.file === undefined || report.id !== null;
  const choosable = reports.slice(0, shown).filter(isChoosable);
  const choose = (some: readonly DocumentReport[], isChosen: boolean) => {
    const rest = [...chosen].filter((report) => !some.includes(report));
    setChosen(new Set(isChosen ? [...rest, ...some] : rest));
  };
  return (
    <div class="reason">
      <div class="reason-head">
        <div class="stack">
          <span>
            <code>{code}</code> <span class="muted">× {format.count(reports.length)}</span>
          </span>
          <span class="muted small break">{message}</span>
          <span class="small">{t(whatToDo(code, retryable))}</span>
        </div>
        <div class="actions">
          {retryable && (
            <span class="badge" data-tone="note">
              {t('job.retryable')}
            </span>
          )}
          {onRetry !== undefined && chosen.size > 0 && (
            <Button size="tiny" kind="primary" onClick={() => void onRetry(selectionOf([...chosen]))}>
              {t('job.retrySelected', { count: format.count(chosen.size) })}
            </Button>
          )}
          {onRetry !== undefined && (
            <Button
              size="tiny"
              icon="refresh"
              onClick={() => void onRetry({ codes: [code as DocumentReport['code']] })}
            >
              {t('job.retryThese')}
            </Button>
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
                {onRetry !== undefined && (
                  <th scope="col" class="tick">
                    <input
                      type="checkbox"
                      aria-label={t('job.selectAll')}
                      checked={choosable.length > 0 && choosable.every((report) => chosen.has(report))}
                      onChange={(event) => choose(choosable, event.currentTarget.checked)}
                    />
                  </th>
                )}
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
                  {onRetry !== undefined && (
                    <td class="tick">
                      <input
                        type="checkbox"
                        aria-label={t('job.select', { line: format.count(report.line) })}
                        disabled={!isChoosable(report)}
                        checked={chosen.has(report)}
                        onChange={(event) => choose([report], event.currentTarget.checked)}
                      />
                    </td>
                  )}
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

/** Lines identify the documents, except in a job of several files, where each file numbers its own lines. */
function selectionOf(reports: readonly DocumentReport[]): RetrySelection {
  if (reports.every(({ file }) => file === undefined)) return { lines: reports.map(({ line }) => line) };
  return { ids: reports.flatMap(({ id }) => id ?? []) };
}
