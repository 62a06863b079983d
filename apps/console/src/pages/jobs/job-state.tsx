import type { Format } from '../../format.ts';
import type { Job, JobState } from '../../server/shapes.ts';
import { Progress, type Stretch } from '../../parts/progress.tsx';
import { useLocale } from '../../words/locale.tsx';

export const JOB_STATES = [
  'queued',
  'scanning',
  'running',
  'completed',
  'cancelled',
  'failed',
] as const satisfies readonly JobState[];

export function isUnfinished({ state }: Pick<Job, 'state'>): boolean {
  return state === 'queued' || state === 'scanning' || state === 'running';
}

export function JobBadge({ job }: { job: Pick<Job, 'state' | 'failed' | 'paused'> }) {
  const { t } = useLocale();
  if (job.paused) return <Badge tone="warn" text={t('state.paused')} />;
  if (job.state === 'completed' && job.failed > 0)
    return <Badge tone="warn" text={t('state.withFailures')} />;
  return <Badge tone={toneOf(job.state)} text={t(`state.${job.state}`)} live={job.state === 'running'} />;
}

function Badge({ tone, text, live = false }: { tone: string | undefined; text: string; live?: boolean }) {
  return (
    <span class="badge" data-tone={tone} data-live={live}>
      <span class="dot" />
      {text}
    </span>
  );
}

function toneOf(state: JobState): string | undefined {
  switch (state) {
    case 'queued':
    case 'cancelled':
      return undefined;
    case 'scanning':
      return 'note';
    case 'running':
      return 'accent';
    case 'completed':
      return 'good';
    case 'failed':
      return 'bad';
  }
}

/** The job's documents: at least so many while its source is being scanned. */
export function documentCount({ state, scanned, documents }: Job, format: Format): string {
  return state === 'running' && !scanned ? `≥ ${format.count(documents)}` : format.count(documents);
}

export function JobProgress({ job }: { job: Job }) {
  const { t, format } = useLocale();
  const label = t('job.doneOf', { done: format.count(job.done), documents: documentCount(job, format) });
  return <Progress label={label} stretches={stretchesOf(job)} />;
}

/** The stored, unchanged and failed parts of the progress bar; undefined while the total is unknown. */
function stretchesOf({ state, scanned, documents, done, stored, failed }: Job): Stretch[] | undefined {
  if (state === 'running' && !scanned) return undefined;
  if (documents === 0) return state === 'scanning' ? undefined : [];
  return [
    { share: stored / documents },
    { share: (done - stored - failed) / documents, tone: 'rest' },
    { share: failed / documents, tone: 'bad' },
  ];
}
