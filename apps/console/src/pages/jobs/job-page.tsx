import type { Job } from '../../server/shapes.ts';
import { useEffect, useState } from 'preact/hooks';
import { Card, Figure, PageHead } from '../../parts/card.tsx';
import { Chart } from '../../parts/chart.tsx';
import { Loading, Notice, ProblemNotice } from '../../parts/notice.tsx';
import { hrefOf } from '../../route.ts';
import { useStream, type StreamState } from '../../server/use-stream.ts';
import { useLocale } from '../../words/locale.tsx';
import { StagesCard, useJobDetails, WaitNotice } from './details-card.tsx';
import { JobActions } from './job-actions.tsx';
import { JobFacts } from './job-facts.tsx';
import { LogCard } from './log-card.tsx';
import { ReportCard } from './report-card.tsx';
import { documentCount, isUnfinished, JobBadge, JobProgress } from './job-state.tsx';
import { paces, presentPace, sampled, secondsLeft, type Sample } from './pace.ts';
import { WebhookCard } from './webhook-card.tsx';

export function JobPage({ id }: { id: string }) {
  const [followed, setFollowed] = useState<Job>();
  const stream = useStream<Job>(
    `job ${id}`,
    (api, init) =>
      api.GET('/api/v1/jobs/{id}/events', { ...init, params: { path: { id } }, parseAs: 'stream' }),
    'end',
  );
  // The answer to an action is newer than the last event, until the next event.
  useEffect(() => setFollowed(undefined), [stream.data]);
  const job = followed ?? stream.data;
  if (job === undefined) {
    return stream.problem === undefined ? <Loading lines={6} /> : <ProblemNotice problem={stream.problem} />;
  }
  return <Followed job={job} stream={stream.state} onChange={setFollowed} />;
}

function Followed({
  job,
  stream,
  onChange,
}: {
  job: Job;
  stream: StreamState;
  onChange: (job: Job) => void;
}) {
  const { t } = useLocale();
  const { data: details } = useJobDetails(job);
  return (
    <>
      <PageHead
        trail={<a href={hrefOf('jobs')}>{t('page.jobs')}</a>}
        title={job.collection === '' ? t('job.toFile') : job.collection}
        actions={<JobActions job={job} onChange={onChange} />}
      >
        <span class="mono small">{job.id}</span>
      </PageHead>
      <Waiting job={job} stream={stream} />
      {!job.paused && job.waitingFor === null && <WaitNotice waitsFor={details?.waitsFor ?? null} />}
      <ProgressCard job={job} />
      {job.failed > 0 && <ReportCard job={job} kind="failures" />}
      <JobFacts job={job} />
      {details !== undefined && <StagesCard details={details} />}
      <ReportCard job={job} kind="warnings" />
      {job.webhook !== null && <WebhookCard job={job} />}
      <LogCard job={job} />
    </>
  );
}

/** Why the job waits, or why the page is out of date. */
function Waiting({ job, stream }: { job: Job; stream: StreamState }) {
  const { t } = useLocale();
  return (
    <>
      {stream === 'lost' && (
        <Notice tone="warn" title={t('stream.lost')}>
          <p>{t('stream.lost.what')}</p>
        </Notice>
      )}
      {job.error !== null && (
        <Notice tone="bad" title={t('job.error')}>
          <p>{job.error.message}</p>
          <code class="small">{job.error.code}</code>
        </Notice>
      )}
      {job.paused && (
        <Notice tone="warn" title={t('job.paused')}>
          <p>{t('job.paused.what')}</p>
        </Notice>
      )}
      {job.waitingFor !== null && (
        <Notice tone="warn" title={t('job.waits')}>
          <p>{job.waitingFor.message}</p>
        </Notice>
      )}
    </>
  );
}

/** Progress, rate, and time left. */
function ProgressCard({ job }: { job: Job }) {
  const { t, format } = useLocale();
  const [samples, setSamples] = useState<readonly Sample[]>([]);
  useEffect(() => {
    if (isUnfinished(job)) setSamples((before) => sampled(before, job, Date.now()));
  }, [job]);
  const unfinished = isUnfinished(job);
  const pace = unfinished ? presentPace(samples) : undefined;
  const left = unfinished ? secondsLeft(job, pace) : undefined;
  const perSecond = job.seconds > 0 ? job.tokens / job.seconds : 0;
  const history = paces(samples);
  return (
    <Card title={t('job.progress')} actions={<JobBadge job={job} />}>
      <div class="form">
        <JobProgress job={job} />
        <dl class="figures flat">
          <Figure
            name={t('documents')}
            value={format.count(job.done)}
            note={t('job.of', { documents: documentCount(job, format) })}
          />
          <Figure
            name={t('job.failed')}
            value={<span class={job.failed > 0 ? 'bad' : ''}>{format.count(job.failed)}</span>}
            note={t('job.untouched', { count: format.count(job.skipped + job.duplicates + job.superseded) })}
          />
          <Figure
            name={t('tokensPerSecond')}
            value={format.compact(pace?.tokens ?? perSecond)}
            note={t('job.tokens', { tokens: format.compact(job.tokens) })}
          />
          {unfinished ? (
            <Figure
              name={t('job.left')}
              value={left === undefined ? '–' : format.duration(left)}
              note={t('job.running', { time: format.duration(job.seconds) })}
            />
          ) : (
            <Figure
              name={t('job.took')}
              value={format.duration(job.seconds)}
              note={job.finishedAt === null ? undefined : format.time(job.finishedAt)}
            />
          )}
        </dl>
        {history.length > 2 && (
          <Chart
            label={t('job.chart')}
            times={history.map(({ at }) => at)}
            series={[{ name: t('tokensPerSecond'), values: history.map(({ tokens }) => tokens) }]}
          />
        )}
      </div>
    </Card>
  );
}
