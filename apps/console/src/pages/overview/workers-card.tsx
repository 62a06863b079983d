import { Card } from '../../parts/card.tsx';
import { Progress } from '../../parts/progress.tsx';
import { hrefOf } from '../../route.ts';
import type { WorkerModel, WorkerNote } from '../../server/shapes.ts';
import { useLocale } from '../../words/locale.tsx';

export const MODEL_TONES = { loading: 'note', downloading: 'note', serving: 'good', failed: 'bad' } as const;

/** The most jobs listed for each worker. */
const JOBS = 3;

/** The workers, their jobs, and their shards in progress. */
export function WorkersCard({ workers }: { workers: readonly WorkerNote[] }) {
  const { t, format } = useLocale();
  return (
    <Card
      title={t('workers')}
      whole
      actions={<span class="muted small">{format.count(workers.length)}</span>}
    >
      {workers.length === 0 ? (
        <p class="muted report-more">{t('workers.none')}</p>
      ) : (
        workers.map((worker) => <Worker key={worker.id} worker={worker} />)
      )}
    </Card>
  );
}

function Worker({ worker }: { worker: WorkerNote }) {
  const { t, format } = useLocale();
  return (
    <div class="reason">
      <div class="reason-head">
        <div class="stack">
          <strong class="break">
            {worker.host} <span class="muted small">pid {worker.pid}</span>
          </strong>
          <span class="muted small">
            {worker.mostShards === 0
              ? t('worker.queries')
              : t('worker.inHand', {
                  shards: format.count(worker.shards),
                  most: format.count(worker.mostShards),
                })}
            {' · '}
            {format.bytes(worker.memoryBytes)}
            {worker.engineRestarts > 0 &&
              ` · ${t('worker.restarts', { count: format.count(worker.engineRestarts) })}`}
          </span>
          {worker.jobs.length > 0 && (
            <span class="small break">
              <span class="muted">{t('worker.jobs')}</span>{' '}
              {worker.jobs.slice(0, JOBS).map((job, n) => (
                <span key={job}>
                  {n > 0 && ', '}
                  <a href={hrefOf('jobs', [job])}>{job}</a>
                </span>
              ))}
              {worker.jobs.length > JOBS && ' …'}
            </span>
          )}
        </div>
      </div>
      <ul class="models">
        {worker.models.map((model) => (
          <Model key={model.model} model={model} />
        ))}
      </ul>
    </div>
  );
}

function Model({
  model: { model, state, devices, tokensPerSecond, download, error },
}: {
  model: WorkerModel;
}) {
  const { t, format } = useLocale();
  return (
    <li>
      <span class="break">{model}</span>
      <span class="badge" data-tone={MODEL_TONES[state]}>
        {t(`model.${state}`)}
      </span>
      <span class="muted small">
        {[...new Set(devices)].join(', ')}
        {tokensPerSecond > 0 && ` · ${t('rate.tokens', { tokens: format.compact(tokensPerSecond) })}`}
      </span>
      {download !== null && (
        <Progress
          label={download.file}
          stretches={
            download.totalBytes === null
              ? undefined
              : [{ share: download.receivedBytes / download.totalBytes }]
          }
        />
      )}
      {error !== null && <span class="bad small break">{error.message}</span>}
    </li>
  );
}
