import { Card } from '../../parts/card.tsx';
import { hrefOf } from '../../route.ts';
import { useLoaded } from '../../server/use-server.ts';
import { useLocale } from '../../words/locale.tsx';
import { documentCount, JobBadge, JobProgress } from '../jobs/job-state.tsx';

const SHOWN = 5;
const LOOK_MS = 4000;

export function RunningJobs({ at }: { at: string }) {
  const { t, format } = useLocale();
  const loaded = useLoaded(
    'latest jobs',
    (client, options) => client.jobs.list({ limit: SHOWN, ...options }),
    LOOK_MS,
  );
  const jobs = loaded.data?.jobs ?? [];
  if (jobs.length === 0) return null;
  return (
    <Card title={t('overview.latest')} whole actions={<a href={hrefOf('jobs')}>{t('overview.allJobs')}</a>}>
      <ul class="lines">
        {jobs.map((job) => (
          <li key={job.id}>
            <a class="clip" href={hrefOf('jobs', [job.id])}>
              {job.collection === '' ? t('job.toFile') : job.collection}
            </a>
            <JobProgress job={job} />
            <span class="number muted wide">{documentCount(job, format)}</span>
            <JobBadge job={job} />
            <span class="number muted wide">{format.relative(job.createdAt, Date.parse(at))}</span>
          </li>
        ))}
      </ul>
    </Card>
  );
}
