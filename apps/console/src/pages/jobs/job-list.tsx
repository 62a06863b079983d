import { useEffect } from 'preact/hooks';
import { PageHead } from '../../parts/card.tsx';
import { Field, Select } from '../../parts/fields.tsx';
import { Empty, Loading, ProblemNotice } from '../../parts/notice.tsx';
import { useNow } from '../../parts/use-now.ts';
import { useSettled } from '../../parts/use-settled.ts';
import { useWindow } from '../../parts/use-window.ts';
import { hrefOf, type Route } from '../../route.ts';
import { useLoaded } from '../../server/use-server.ts';
import type { Job } from '../../server/shapes.ts';
import { usePrincipal } from '../../shell/principal.tsx';
import { replaceQuery } from '../../shell/use-route.ts';
import { useLocale } from '../../words/locale.tsx';
import { documentCount, JOB_STATES, JobBadge, JobProgress } from './job-state.tsx';
import { useJobPages, type JobPages, type JobQuery } from './use-job-pages.ts';

const FILTERS = ['text', 'state', 'collection', 'source', 'tenant'] as const;
/** Equal to `--row` in the styles. */
const ROW = 56;
/** When this many loaded rows are left below, the next page is requested. */
const AHEAD = 40;

export function JobList({ route }: { route: Route }) {
  const { t } = useLocale();
  const query = Object.fromEntries(
    FILTERS.flatMap((name) => (route.query[name] ? [[name, route.query[name]]] : [])),
  );
  const asked = useSettled(JSON.stringify(query));
  const pages = useJobPages(JSON.parse(asked) as JobQuery);
  const isFiltered = asked !== '{}';
  return (
    <>
      <PageHead
        title={t('page.jobs')}
        actions={
          <a class="button primary" href={hrefOf('submit')}>
            {t('jobs.submit')}
          </a>
        }
      >
        {t('jobs.what')}
      </PageHead>
      <Filters route={route} />
      {pages.problem !== undefined && <ProblemNotice problem={pages.problem} onRetry={pages.reload} />}
      <section class="card" aria-label={t('page.jobs')}>
        {pages.jobs === undefined ? (
          <Loading lines={8} />
        ) : pages.jobs.length === 0 && !pages.isMore ? (
          <Empty icon="jobs" title={isFiltered ? t('jobs.noneFound') : t('jobs.none')}>
            {isFiltered ? t('jobs.noneFound.what') : t('jobs.none.what')}
          </Empty>
        ) : (
          <Table jobs={pages.jobs} pages={pages} />
        )}
      </section>
    </>
  );
}

function Filters({ route }: { route: Route }) {
  const { t } = useLocale();
  const { tenant } = usePrincipal();
  const collections = useLoaded('collections', (client, options) => client.collections.list(options));
  const set = (name: string, value: string) => replaceQuery(route, { ...route.query, [name]: value });
  const any = { value: '', label: t('any') };
  return (
    <div class="filters" role="search">
      <Field label={t('jobs.text')} grow>
        <input
          class="input"
          type="search"
          placeholder={t('jobs.text.hint')}
          value={route.query['text'] ?? ''}
          onInput={(event) => set('text', event.currentTarget.value)}
        />
      </Field>
      <Field label={t('job.state')}>
        <Select
          value={route.query['state'] ?? ''}
          options={[any, ...JOB_STATES.map((value) => ({ value, label: t(`state.${value}`) }))]}
          onChange={(value) => set('state', value)}
        />
      </Field>
      <Field label={t('collection')}>
        <Select
          value={route.query['collection'] ?? ''}
          options={[any, ...(collections.data ?? []).map(({ name }) => ({ value: name, label: name }))]}
          onChange={(value) => set('collection', value)}
        />
      </Field>
      <Field label={t('job.source')}>
        <input
          class="input"
          placeholder={t('any')}
          value={route.query['source'] ?? ''}
          onInput={(event) => set('source', event.currentTarget.value)}
        />
      </Field>
      {tenant === null && (
        <Field label={t('tenant')}>
          <input
            class="input"
            placeholder={t('any')}
            value={route.query['tenant'] ?? ''}
            onInput={(event) => set('tenant', event.currentTarget.value)}
          />
        </Field>
      )}
    </div>
  );
}

function Table({ jobs, pages: { isMore, more } }: { jobs: readonly Job[]; pages: JobPages }) {
  const { t } = useLocale();
  const now = useNow(5000);
  const { box, first, end } = useWindow<HTMLDivElement>(jobs.length, ROW);
  useEffect(() => {
    if (isMore && end > jobs.length - AHEAD) more();
  }, [isMore, end, jobs.length, more]);
  return (
    <div class="table-box tall" ref={box} tabIndex={0} role="region" aria-label={t('page.jobs')}>
      <table aria-rowcount={isMore ? -1 : jobs.length + 1}>
        <thead>
          <tr>
            <th scope="col">{t('job')}</th>
            <th scope="col">{t('job.state')}</th>
            <th scope="col" class="wide">
              {t('job.progress')}
            </th>
            <th scope="col" class="number wide">
              {t('documents')}
            </th>
            <th scope="col" class="number wide">
              {t('job.failed')}
            </th>
            <th scope="col" class="wide">
              {t('tenant')}
            </th>
            <th scope="col" class="number">
              {t('job.submitted')}
            </th>
          </tr>
        </thead>
        <tbody>
          <Space rows={first} />
          {jobs.slice(first, end).map((job, n) => (
            <Row key={job.id} job={job} now={now} index={first + n + 2} />
          ))}
          <Space rows={jobs.length - end} />
        </tbody>
      </table>
    </div>
  );
}

/** Takes the place of rows that are outside the window. */
function Space({ rows }: { rows: number }) {
  if (rows <= 0) return null;
  return (
    <tr class="space" aria-hidden="true">
      <td colSpan={7} style={{ height: `${rows * ROW}px` }} />
    </tr>
  );
}

function Row({ job, now, index }: { job: Job; now: number; index: number }) {
  const { t, format } = useLocale();
  return (
    <tr class="row" aria-rowindex={index}>
      <td class="job-cell">
        <div class="stack">
          <a class="clip" href={hrefOf('jobs', [job.id])}>
            {job.collection === '' ? t('job.toFile') : job.collection}
          </a>
          <span class="muted small clip" title={job.id}>
            {job.id.slice(-6)} · {job.sourceName ?? job.source}
          </span>
        </div>
      </td>
      <td>
        <JobBadge job={job} />
      </td>
      <td class="wide">
        <JobProgress job={job} />
      </td>
      <td class="number wide">{documentCount(job, format)}</td>
      <td class={job.failed > 0 ? 'number wide bad' : 'number wide muted'}>{format.count(job.failed)}</td>
      <td class="wide muted">{job.tenant ?? ''}</td>
      <td class="number muted" title={format.time(job.createdAt)}>
        {format.relative(job.createdAt, now)}
      </td>
    </tr>
  );
}
