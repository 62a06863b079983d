import type { Priority } from '../../server/shapes.ts';
import { useEffect, useRef, useState } from 'preact/hooks';
import { Button } from '../../parts/button.tsx';
import { Card, Shown } from '../../parts/card.tsx';
import { Check, Field, Select } from '../../parts/fields.tsx';
import { ProblemNotice } from '../../parts/notice.tsx';
import { Progress } from '../../parts/progress.tsx';
import { upload } from '../../server/upload.ts';
import { useAction, useServer } from '../../server/use-server.ts';
import { may, usePrincipal } from '../../shell/principal.tsx';
import { goTo } from '../../shell/use-route.ts';
import { useLocale } from '../../words/locale.tsx';
import { CollectionForm } from '../collections/collection-form.tsx';
import { useCollections } from '../collections/use-collections.ts';
import { PRIORITY_NAMES } from '../jobs/priority.ts';
import { columnsQuery, type Mapping } from './mapping.ts';
import type { Dropped } from './read-beginning.ts';

const NEW = ' new';
const TYPES = {
  ndjson: 'application/x-ndjson',
  csv: 'text/csv',
  parquet: 'application/vnd.apache.parquet',
  document: 'application/octet-stream',
} as const;

interface Options {
  readonly dryRun: boolean;
  readonly priority: Priority;
  /** If not empty, the file is a snapshot of this source. */
  readonly snapshotOf: string;
}

/** Chooses the collection and the options, uploads the file, and then opens the job’s page. */
export function SendCard({
  dropped,
  mapping,
  isWhole,
  collection: given,
}: {
  dropped: Dropped;
  mapping: Mapping;
  isWhole: boolean;
  collection: string | undefined;
}) {
  const { t } = useLocale();
  const isAdmin = may(usePrincipal(), 'admin');
  const loaded = useCollections();
  const [chosen, setChosen] = useState(given);
  const names = (loaded.data?.collections ?? []).map(({ name }) => name);
  const target = chosen ?? names[0] ?? (isAdmin ? NEW : '');
  return (
    <Card title={t('submit.where')}>
      <Shown of={loaded} lines={3}>
        {() => (
          <div class="form">
            <Field label={t('collection')}>
              <Select
                value={target}
                options={[
                  ...names.map((value) => ({ value, label: value })),
                  ...(isAdmin ? [{ value: NEW, label: t('submit.new') }] : []),
                ]}
                onChange={setChosen}
              />
            </Field>
            {target === NEW ? (
              <CollectionForm
                name={nameFor(dropped.file.name)}
                onMade={({ name }) => {
                  setChosen(name);
                  loaded.reload();
                }}
                onCancel={() => setChosen(names[0])}
              />
            ) : (
              target !== '' && (
                <Send dropped={dropped} mapping={mapping} isWhole={isWhole} collection={target} />
              )
            )}
          </div>
        )}
      </Shown>
    </Card>
  );
}

function Send({
  dropped,
  mapping,
  isWhole,
  collection,
}: {
  dropped: Dropped;
  mapping: Mapping;
  isWhole: boolean;
  collection: string;
}) {
  const { t, format } = useLocale();
  const [options, setOptions] = useState<Options>({ dryRun: false, priority: 'normal', snapshotOf: '' });
  const set = (change: Partial<Options>) => setOptions((before) => ({ ...before, ...change }));
  const [sent, setSent] = useState(0);
  const server = useServer();
  const leaving = useRef(new AbortController());
  useEffect(() => () => leaving.current.abort(), []);
  const send = useAction(async () => {
    const { file, format: kind, gzip } = dropped;
    const query = new URLSearchParams({
      ...(kind === 'document' ? { name: file.name.replace(/\.gz$/i, '') } : columnsQuery(mapping, kind)),
      ...optionsQuery(options),
    }).toString();
    const job = await upload(
      server,
      collection,
      { file, query, headers: { 'content-type': TYPES[kind], ...(gzip && { 'content-encoding': 'gzip' }) } },
      { signal: leaving.current.signal, onSent: setSent },
    );
    goTo('jobs', [job.id]);
  });
  return (
    <>
      <details>
        <summary>{t('submit.options')}</summary>
        <div class="form-row options">
          <Field label={t('job.priority')}>
            <Select
              value={options.priority}
              options={PRIORITY_NAMES.map((value) => ({ value, label: t(`priority.${value}`) }))}
              onChange={(priority) => set({ priority })}
            />
          </Field>
          <Field label={t('submit.snapshot')} hint={t('submit.snapshot.hint')}>
            <input
              class="input"
              value={options.snapshotOf}
              onInput={(event) => set({ snapshotOf: event.currentTarget.value })}
            />
          </Field>
        </div>
      </details>
      <Check label={t('submit.dryRun')} checked={options.dryRun} onChange={(dryRun) => set({ dryRun })} />
      {send.problem !== undefined && <ProblemNotice problem={send.problem} />}
      {send.isRunning && (
        <Progress label={t('submit.sent', { share: format.percent(sent) })} stretches={[{ share: sent }]} />
      )}
      <div class="actions">
        <Button
          kind="primary"
          icon="submit"
          disabled={!isWhole || send.isRunning}
          onClick={() => void send.run()}
        >
          {options.dryRun ? t('submit.try') : t('submit.go', { collection })}
        </Button>
        {send.isRunning && (
          <span class="muted small">{t('submit.sent', { share: format.percent(sent) })}</span>
        )}
      </div>
    </>
  );
}

function optionsQuery({ dryRun, priority, snapshotOf }: Options): Record<string, string> {
  return {
    ...(dryRun && { dryRun: 'true' }),
    ...(priority !== 'normal' && { priority }),
    ...(snapshotOf.trim() !== '' && { mode: 'snapshot', sourceName: snapshotOf.trim() }),
  };
}

/** A suggested name for a collection of the file’s documents. */
function nameFor(file: string): string {
  const [base = ''] = file.toLowerCase().split('.');
  return base
    .replaceAll(/[^a-z0-9_-]+/g, '-')
    .replaceAll(/^[^a-z0-9]+|-+$/g, '')
    .slice(0, 63);
}
