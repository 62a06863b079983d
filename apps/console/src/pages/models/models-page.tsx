import { Card, PageHead, Shown } from '../../parts/card.tsx';
import { Progress } from '../../parts/progress.tsx';
import type { ModelView, WorkerModel } from '../../server/shapes.ts';
import { useLoaded } from '../../server/use-server.ts';
import { useLocale } from '../../words/locale.tsx';
import { languagesOf, measuredSpeed } from './model-facts.ts';
import { MODEL_TONES } from '../overview/workers-card.tsx';

const LOOK_MS = 4000;
const KINDS = ['dense', 'sparse', 'reranker'] as const;

/** The models, and their state on the workers. */
export function ModelsPage() {
  const { t } = useLocale();
  const loaded = useLoaded('models page', (client, options) => client.models(options), LOOK_MS);
  return (
    <>
      <PageHead title={t('page.models')}>{t('models.what')}</PageHead>
      <Shown of={loaded} lines={8}>
        {(models) =>
          KINDS.map((kind) => ({ kind, own: models.filter((model) => model.kind === kind) }))
            .filter(({ own }) => own.length > 0)
            .map(({ kind, own }) => <Kind key={kind} kind={kind} models={own} />)
        }
      </Shown>
    </>
  );
}

function Kind({ kind, models }: { kind: (typeof KINDS)[number]; models: readonly ModelView[] }) {
  const { t } = useLocale();
  return (
    <Card title={t(`models.${kind}`)} whole>
      <div class="table-box" tabIndex={0} role="region" aria-label={t(`models.${kind}`)}>
        <table>
          <thead>
            <tr>
              <th scope="col">{t('name')}</th>
              <th scope="col">{t('job.state')}</th>
              <th scope="col" class="number wide">
                {t('models.dims')}
              </th>
              <th scope="col" class="number wide">
                {t('models.reads')}
              </th>
              <th scope="col" class="number wide">
                {t('models.size')}
              </th>
              <th scope="col" class="number wide">
                {t('tokensPerSecond')}
              </th>
            </tr>
          </thead>
          <tbody>
            {[...models].sort(usedFirst).map((model) => (
              <Row key={model.name} model={model} />
            ))}
          </tbody>
        </table>
      </div>
    </Card>
  );
}

/** First models that workers have, then models available on this machine, then the rest. */
function usedFirst(a: ModelView, b: ModelView): number {
  const rank = ({ workers, available }: ModelView) => (workers.length > 0 ? 0 : available ? 1 : 2);
  return rank(a) - rank(b) || a.name.localeCompare(b.name);
}

function Row({ model }: { model: ModelView }) {
  const locale = useLocale();
  const { t, format } = locale;
  const { name, license, dims, maxTokens, bytes } = model;
  const fastest = measuredSpeed(model);
  return (
    <tr class="row">
      <td>
        <div class="stack">
          <span class="break">{name}</span>
          <span class="muted small break">{[...languagesOf(model, locale), license].join(' · ')}</span>
        </div>
      </td>
      <td>
        <State model={model} />
      </td>
      <td class="number wide">{dims > 1 ? format.count(dims) : '–'}</td>
      <td class="number wide">{t('models.tokens', { tokens: format.count(maxTokens) })}</td>
      <td class="number wide">{bytes === null ? '–' : format.bytes(bytes)}</td>
      <td class="number wide" title={t('models.calibrated')}>
        {fastest > 0 ? format.compact(fastest) : '–'}
      </td>
    </tr>
  );
}

function State({ model: { workers, bundled, available } }: { model: ModelView }) {
  const { t } = useLocale();
  if (workers.length === 0) {
    return (
      <span class="badge">{t(bundled ? 'models.bundled' : available ? 'models.here' : 'models.remote')}</span>
    );
  }
  return (
    <ul class="stack">
      {workers.map((worker, n) => (
        <WorkerState key={n} worker={worker} />
      ))}
    </ul>
  );
}

function WorkerState({ worker: { state, devices, download, error } }: { worker: WorkerModel }) {
  const { t, format } = useLocale();
  return (
    <li>
      <span class="badge" data-tone={MODEL_TONES[state]} title={error?.message}>
        <span class="dot" />
        {t(`model.${state}`)}
      </span>{' '}
      <span class="muted small">{[...new Set(devices)].join(', ')}</span>
      {download !== null && (
        <>
          <Progress
            label={download.file}
            stretches={
              download.totalBytes === null
                ? undefined
                : [{ share: download.receivedBytes / download.totalBytes }]
            }
          />
          <span class="muted small">{format.bytes(download.receivedBytes)}</span>
        </>
      )}
    </li>
  );
}
