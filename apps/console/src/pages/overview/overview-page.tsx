import { useEffect, useState } from 'preact/hooks';
import { Button } from '../../parts/button.tsx';
import { Card, Figure, PageHead } from '../../parts/card.tsx';
import { Chart } from '../../parts/chart.tsx';
import { Loading, Notice, ProblemNotice } from '../../parts/notice.tsx';
import { hrefOf } from '../../route.ts';
import type { Overview, Slot } from '../../server/shapes.ts';
import { useAction } from '../../server/use-server.ts';
import { useStream } from '../../server/use-stream.ts';
import { may, usePrincipal } from '../../shell/principal.tsx';
import { useLocale } from '../../words/locale.tsx';
import { HealthCard } from './health-card.tsx';
import { RunningJobs } from './running-jobs.tsx';
import { ratesOf, withSlots } from './slots.ts';
import { WorkersCard } from './workers-card.tsx';

const HOUR_MS = 3600_000;

/** The overview, updated live. */
export function OverviewPage() {
  const { t } = useLocale();
  const principal = usePrincipal();
  const stream = useStream<Overview>('overview', (api, init) =>
    api.GET('/api/v1/overview/events', { ...init, parseAs: 'stream' }),
  );
  const [slots, setSlots] = useState<readonly Slot[]>([]);
  const { data } = stream;
  useEffect(() => {
    const latest = data?.rates?.slots;
    if (latest !== undefined) setSlots((before) => withSlots(before, latest, HOUR_MS));
  }, [data]);
  return (
    <>
      <PageHead
        title={t('page.overview')}
        actions={data !== undefined && may(principal, 'admin') && <PauseButton paused={data.paused} />}
      >
        {principal.tenant === null ? t('overview.what') : t('overview.tenant', { tenant: principal.tenant })}
      </PageHead>
      {stream.state === 'lost' && (
        <Notice tone="warn" title={t('stream.lost')}>
          <p>{t('stream.lost.what')}</p>
        </Notice>
      )}
      {stream.problem !== undefined && <ProblemNotice problem={stream.problem} />}
      {data === undefined ? (
        stream.problem === undefined && <Loading lines={8} />
      ) : (
        <>
          {data.paused && (
            <Notice tone="warn" title={t('job.paused')}>
              <p>{t('job.paused.what')}</p>
            </Notice>
          )}
          <Problems overview={data} />
          <Figures overview={data} />
          {data.rates !== null && slots.length > 2 && (
            <Rates slots={slots} slotSeconds={data.rates.slotSeconds} />
          )}
          {may(principal, 'submit') && <RunningJobs at={data.at} />}
          <div class="columns">
            {data.workers !== null && <WorkersCard workers={data.workers} />}
            {data.health !== null && <HealthCard health={data.health} />}
          </div>
        </>
      )}
    </>
  );
}

function PauseButton({ paused }: { paused: boolean }) {
  const { t } = useLocale();
  const action = useAction(async (client) => {
    await (paused ? client.queue.resume() : client.queue.pause());
  });
  return (
    <>
      {action.problem !== undefined && <ProblemNotice problem={action.problem} />}
      <Button disabled={action.isRunning} onClick={() => void action.run()}>
        {paused ? t('queue.resume') : t('queue.pause')}
      </Button>
    </>
  );
}

/** Problems and what to do about them, in the words of the runbooks, which are in English. */
function Problems({ overview: { problems } }: { overview: Overview }) {
  const { t } = useLocale();
  if (problems === null) return null;
  if (problems.length === 0) {
    return <Notice tone="good" title={t('overview.well')} />;
  }
  return (
    <>
      {problems.map(({ runbook, severity, detail, means, todo }) => (
        <Notice
          key={`${runbook} ${detail}`}
          tone={severity === 'critical' ? 'bad' : severity === 'warning' ? 'warn' : 'note'}
          title={detail}
        >
          <p>
            <span class="muted">{t('problem.means')}</span> {plain(means)}
          </p>
          <p>
            <span class="muted">{t('problem.todo')}</span> {plain(todo)}
          </p>
          <code class="small">{runbook}</code>
        </Notice>
      ))}
    </>
  );
}

/** Renders Markdown's inline code as code. */
function plain(markdown: string) {
  return markdown.split('`').map((part, n) => (n % 2 === 1 ? <code key={n}>{part}</code> : part));
}

function Figures({ overview: { rates, backlog, jobs } }: { overview: Overview }) {
  const { t, format } = useLocale();
  return (
    <dl class="figures">
      {rates !== null && (
        <>
          <Figure
            name={t('tokensPerSecond')}
            value={format.compact(rates.tokensPerSecond)}
            note={t('overview.tokensHour', { tokens: format.compact(rates.hour.tokens) })}
          />
          <Figure
            name={t('documentsPerSecond')}
            value={format.compact(rates.documentsPerSecond)}
            note={t('overview.documentsHour', { documents: format.compact(rates.hour.documents) })}
          />
        </>
      )}
      <Figure
        name={t('overview.backlog')}
        value={format.compact(backlog.documents)}
        note={t('overview.backlogTokens', { tokens: format.compact(backlog.tokens) })}
      />
      <Figure
        name={t('overview.empty')}
        value={
          backlog.tokens === 0
            ? t('overview.now')
            : backlog.seconds === null
              ? '–'
              : format.duration(backlog.seconds)
        }
        note={
          jobs !== null && (
            <a href={hrefOf('jobs', [], { state: 'running' })}>
              {t('overview.jobs', { active: format.count(jobs.active), waiting: format.count(jobs.waiting) })}
            </a>
          )
        }
      />
    </dl>
  );
}

function Rates({ slots, slotSeconds }: { slots: readonly Slot[]; slotSeconds: number }) {
  const { t } = useLocale();
  const { times, tokens } = ratesOf(slots, slotSeconds);
  return (
    <Card title={t('overview.lastHour')} actions={<span class="muted small">{t('tokensPerSecond')}</span>}>
      <Chart
        label={t('overview.chart')}
        times={times}
        series={[{ name: t('tokensPerSecond'), values: tokens }]}
      />
    </Card>
  );
}
