import type { WatchedSourceView } from '../../server/shapes.ts';
import { Button } from '../../parts/button.tsx';
import { Card, Shown } from '../../parts/card.tsx';
import { Empty, ProblemNotice } from '../../parts/notice.tsx';
import { useNow } from '../../parts/use-now.ts';
import { hrefOf } from '../../route.ts';
import { useAction, useLoaded } from '../../server/use-server.ts';
import { useLocale } from '../../words/locale.tsx';

const LOOK_MS = 5000;
const TONES = { submitted: 'accent', unchanged: 'good', waiting: 'note', failed: 'bad' } as const;

/** Watched sources, with the results of their last checks. */
export function SourcesCard({ collection }: { collection: string }) {
  const { t } = useLocale();
  const loaded = useLoaded(
    `sources of ${collection}`,
    (client, options) => client.sources.list(collection, options),
    LOOK_MS,
  );
  const run = useAction(async (client, name: string) => {
    await client.sources.run(collection, name);
    loaded.reload();
  });
  return (
    <Card whole title={t('sources.title')}>
      {run.problem !== undefined && <ProblemNotice problem={run.problem} />}
      <Shown of={loaded}>
        {(sources) =>
          sources.length === 0 ? (
            <Empty icon="refresh" title={t('sources.none')}>
              {t('sources.none.what')}
              <br />
              <code>embedmill watch-source add NAME PLACE -c {collection} --every 15m</code>
            </Empty>
          ) : (
            sources.map((source) => (
              <Source key={source.name} source={source} onRun={() => void run.run(source.name)} />
            ))
          )
        }
      </Shown>
    </Card>
  );
}

function Source({ source, onRun }: { source: WatchedSourceView; onRun: () => void }) {
  const { t, format } = useLocale();
  const now = useNow(5000);
  const { name, files, schedule, mode, nextAt, runs } = source;
  return (
    <div class="reason">
      <div class="reason-head">
        <div class="stack">
          <span>
            <strong>{name}</strong>{' '}
            <span class="muted small">
              {'every' in schedule ? schedule.every : schedule.cron} · {t(`mode.${mode}`)}
            </span>
          </span>
          <span class="muted small break">{files.join(', ')}</span>
          {nextAt !== null && (
            <span class="muted small">{t('sources.next', { time: format.relative(nextAt, now) })}</span>
          )}
        </div>
        <Button size="tiny" icon="refresh" onClick={onRun}>
          {t('sources.run')}
        </Button>
      </div>
      <ul class="models">
        {runs.slice(0, 5).map((run) => (
          <li key={run.at}>
            <span class="badge" data-tone={TONES[run.outcome]}>
              {t(`run.${run.outcome}`)}
            </span>
            <span class="muted small">{format.relative(run.at, now)}</span>
            {run.job !== null && (
              <a class="small" href={hrefOf('jobs', [run.job])}>
                {t('run.changes', {
                  added: format.count(run.added),
                  changed: format.count(run.changed),
                  removed: format.count(run.removed),
                })}
              </a>
            )}
            {run.error !== null && <span class="bad small break">{run.error.message}</span>}
          </li>
        ))}
      </ul>
    </div>
  );
}
