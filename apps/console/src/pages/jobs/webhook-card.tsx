import type { Job } from '../../server/shapes.ts';
import { Card, Shown } from '../../parts/card.tsx';
import { useNow } from '../../parts/use-now.ts';
import { useLoaded } from '../../server/use-server.ts';
import { useLocale } from '../../words/locale.tsx';

const LOOK_MS = 5000;
const TONES = { waiting: 'note', delivered: 'good', failed: 'bad' } as const;

/** The webhook that is notified of the job's end, and its attempts. */
export function WebhookCard({ job }: { job: Job }) {
  const { t, format } = useLocale();
  const now = useNow(5000);
  const loaded = useLoaded(
    `webhook ${job.id} ${job.state}`,
    (client, options) => client.jobs.webhookDeliveries(job.id, options),
    LOOK_MS,
  );
  return (
    <Card title={t('webhook')} actions={<span class="muted small break">{job.webhook}</span>}>
      <Shown of={loaded} lines={2}>
        {(deliveries) =>
          deliveries.length === 0 ? (
            <p class="muted">{t('webhook.none')}</p>
          ) : (
            <ul class="form">
              {deliveries.map(({ id, type, state, tries, lastError, nextTryAt }) => (
                <li key={id} class="stack">
                  <span>
                    <code>{type}</code>{' '}
                    <span class="badge" data-tone={TONES[state]}>
                      {t(`webhook.${state}`)}
                    </span>{' '}
                    <span class="muted small">{t('webhook.tries', { tries: format.count(tries) })}</span>
                  </span>
                  {lastError !== null && <span class="muted small break">{lastError}</span>}
                  {nextTryAt !== null && (
                    <span class="muted small">
                      {t('webhook.next', { time: format.relative(nextTryAt, now) })}
                    </span>
                  )}
                </li>
              ))}
            </ul>
          )
        }
      </Shown>
    </Card>
  );
}
