import { Card, Shown } from '../../parts/card.tsx';
import type { Job } from '../../server/shapes.ts';
import { useLoaded } from '../../server/use-server.ts';
import { useLocale } from '../../words/locale.tsx';
import { isUnfinished } from './job-state.tsx';

const LOOK_MS = 4000;
const TONES = { info: 'note', warn: 'warn', error: 'bad' } as const;

/** The job's log, latest first. The entries themselves are in English. */
export function LogCard({ job }: { job: Job }) {
  const { t, format } = useLocale();
  const loaded = useLoaded(
    `log ${job.id} ${job.state}`,
    (client, options) => client.jobs.log(job.id, options),
    // The result of its webhook comes after the job's end.
    isUnfinished(job) || job.webhook !== null ? LOOK_MS : undefined,
  );
  return (
    <Card title={t('job.log')}>
      <Shown of={loaded} lines={3}>
        {(lines) =>
          lines.length === 0 ? (
            <p class="muted">{t('job.log.none')}</p>
          ) : (
            <ol class="log" tabIndex={0} aria-label={t('job.log')}>
              {lines.toReversed().map(({ at, level, event, text }, n) => (
                <li key={lines.length - n}>
                  <time class="muted small number" dateTime={at} title={at}>
                    {format.time(at)}
                  </time>
                  <span class="badge" data-tone={TONES[level]}>
                    {event.replaceAll('_', ' ')}
                  </span>
                  <span class="break">{text}</span>
                </li>
              ))}
            </ol>
          )
        }
      </Shown>
    </Card>
  );
}
