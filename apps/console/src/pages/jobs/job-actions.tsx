import type { Job } from '../../server/shapes.ts';
import { PRIORITY_NAMES, type Priority } from './priority.ts';
import { useState } from 'preact/hooks';
import { Button } from '../../parts/button.tsx';
import { Confirm } from '../../parts/dialog.tsx';
import { Select } from '../../parts/fields.tsx';
import { ProblemNotice } from '../../parts/notice.tsx';
import { useAction } from '../../server/use-server.ts';
import { hrefOf } from '../../route.ts';
import { may, usePrincipal } from '../../shell/principal.tsx';
import { goTo } from '../../shell/use-route.ts';
import { useLocale } from '../../words/locale.tsx';
import { isUnfinished } from './job-state.tsx';

/** The actions that the job's state allows. `onChange` gets the job after an action. */
export function JobActions({ job, onChange }: { job: Job; onChange: (job: Job) => void }) {
  const { t } = useLocale();
  const [asks, setAsks] = useState<'cancel' | 'forget'>();
  const cancel = useAction(async (client) => onChange(await client.jobs.cancel(job.id)));
  const retry = useAction(async (client) => goTo('jobs', [(await client.jobs.retry(job.id)).id]));
  const forget = useAction(async (client) => {
    await client.jobs.forget(job.id);
    goTo('jobs');
  });
  const prioritize = useAction(async (client, priority: Priority) =>
    onChange(await client.jobs.prioritize(job.id, priority)),
  );
  const isSearched = job.collection !== '' && !job.dryRun && may(usePrincipal(), 'search');
  const problem = cancel.problem ?? retry.problem ?? forget.problem ?? prioritize.problem;
  return (
    <>
      {isSearched && (
        <a class="button" href={hrefOf('search', [job.collection])}>
          {t('job.search', { collection: job.collection })}
        </a>
      )}
      {isUnfinished(job) ? (
        <>
          <label class="check">
            <span class="muted small">{t('job.priority')}</span>
            <Select
              value={job.priority}
              options={PRIORITY_NAMES.map((value) => ({ value, label: t(`priority.${value}`) }))}
              onChange={(priority) => void prioritize.run(priority)}
            />
          </label>
          <Button kind="danger" disabled={cancel.isRunning} onClick={() => setAsks('cancel')}>
            {t('job.cancel')}
          </Button>
        </>
      ) : (
        <>
          {job.failed > 0 && (
            <Button kind="primary" icon="refresh" disabled={retry.isRunning} onClick={() => void retry.run()}>
              {t('job.retryAll')}
            </Button>
          )}
          <Button kind="danger" onClick={() => setAsks('forget')}>
            {t('job.forget')}
          </Button>
        </>
      )}
      {problem !== undefined && <ProblemNotice problem={problem} />}
      {asks !== undefined && (
        <Confirm
          title={t(`job.${asks}`)}
          what={t(`job.${asks}.what`)}
          action={t(`job.${asks}`)}
          onConfirm={() => void (asks === 'cancel' ? cancel : forget).run()}
          onClose={() => setAsks(undefined)}
        />
      )}
    </>
  );
}
