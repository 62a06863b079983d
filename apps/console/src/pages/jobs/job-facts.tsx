import type { Job } from '../../server/shapes.ts';
import { Card } from '../../parts/card.tsx';
import { Facts, type Fact } from '../../parts/facts.tsx';
import { hrefOf } from '../../route.ts';
import { useLocale, type Locale } from '../../words/locale.tsx';

/** A job's settings and the counts of its documents. */
export function JobFacts({ job }: { job: Job }) {
  const locale = useLocale();
  const { t } = locale;
  return (
    <div class="columns">
      <Card title={t('job.about')}>
        <Facts facts={aboutOf(job, locale)} />
      </Card>
      <Card title={t('job.came')}>
        <Facts facts={countsOf(job, locale)} />
      </Card>
    </div>
  );
}

function aboutOf(job: Job, { t, format }: Locale): Fact[] {
  const facts: (Fact | false)[] = [
    job.collection !== '' && [
      t('collection'),
      <a href={hrefOf('collections', [job.collection])}>{job.collection}</a>,
    ],
    [t('job.source'), job.source],
    job.sourceName !== null && [t('job.sourceName'), job.sourceName],
    [t('job.mode'), t(job.dryRun ? 'job.dryRun' : `mode.${job.mode}`)],
    [t('job.priority'), t(`priority.${job.priority}`)],
    job.tenant !== undefined && [t('tenant'), job.tenant],
    job.retryOf !== null && [t('job.retryOf'), <a href={hrefOf('jobs', [job.retryOf])}>{job.retryOf}</a>],
    [t('job.submitted'), format.time(job.createdAt)],
    job.startedAt !== null && [t('job.started'), format.time(job.startedAt)],
    job.finishedAt !== null && [t('job.finished'), format.time(job.finishedAt)],
  ];
  return facts.filter((fact) => fact !== false);
}

const COUNTS = [
  'stored',
  'skipped',
  'duplicates',
  'superseded',
  'deleted',
  'gone',
  'failed',
  'truncated',
  'chunks',
  'reused',
  'shards',
] as const satisfies readonly (keyof Job)[];

/** Zero counts are left out, except those that everybody looks for. */
function countsOf(job: Job, { t, format }: Locale): Fact[] {
  return COUNTS.filter((name) => job[name] > 0 || name === 'stored' || name === 'failed').map((name) => [
    t(`count.${name}`),
    name === 'shards'
      ? `${format.count(job.shardsDone)} / ${format.count(job.shards)}`
      : format.count(job[name]),
  ]);
}
