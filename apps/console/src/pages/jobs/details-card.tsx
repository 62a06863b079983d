import { Card } from '../../parts/card.tsx';
import { Facts, type Fact } from '../../parts/facts.tsx';
import { Notice } from '../../parts/notice.tsx';
import type { Job, JobDetails } from '../../server/shapes.ts';
import { useLoaded, type Loaded } from '../../server/use-server.ts';
import { useLocale } from '../../words/locale.tsx';
import { isUnfinished } from './job-state.tsx';

const LOOK_MS = 3000;
/** Reasons that are translated; others are shown in the server's words. */
const REASONS = ['queue_paused', 'its_turn', 'room', 'no_worker', 'model_loading'] as const;

/** Why a job waits, where its time goes, and what it used. */
export function useJobDetails(job: Job): Loaded<JobDetails> {
  const params = { path: { id: job.id } };
  return useLoaded(
    `details ${job.id} ${job.state}`,
    (client, options) =>
      client.read((api, init) => api.GET('/api/v1/jobs/{id}/details', { ...init, params }), options),
    isUnfinished(job) ? LOOK_MS : undefined,
  );
}

export function WaitNotice({ waitsFor }: { waitsFor: JobDetails['waitsFor'] }) {
  const { t } = useLocale();
  if (waitsFor === null) return null;
  const known = REASONS.find((code) => code === waitsFor.code);
  return (
    <Notice tone="warn" title={t('job.waits')}>
      <p>{known === undefined ? waitsFor.message : t(`waits.${known}`)}</p>
      {known === 'no_worker' && <p class="muted small">{waitsFor.message}</p>}
    </Notice>
  );
}

/** Each stage with its share of the whole time. */
export function StagesCard({ details: { stages, usage } }: { details: JobDetails }) {
  const { t, format } = useLocale();
  const whole = stages.reduce((sum, { seconds }) => sum + seconds, 0);
  const facts: readonly Fact[] = [
    [t('usage.tokens'), format.count(usage.tokens)],
    [t('usage.engine'), format.duration(usage.engineSeconds)],
    ...(usage.cost === null ? [] : [[t('usage.cost'), format.decimal(usage.cost, 4)] as const]),
  ];
  return (
    <Card title={t('job.stages')}>
      <div class="form">
        {whole > 0 && (
          <ul class="stages" aria-label={t('job.stages')}>
            {stages.map(({ stage, seconds }) => (
              <li key={stage}>
                <span>{stage}</span>
                <meter min={0} max={whole} value={seconds} aria-label={stage} />
                <span class="number muted small">
                  {format.duration(seconds)} · {format.percent(seconds / whole)}
                </span>
              </li>
            ))}
          </ul>
        )}
        <Facts facts={facts} />
      </div>
    </Card>
  );
}
