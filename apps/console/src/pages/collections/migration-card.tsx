import { useState } from 'preact/hooks';
import { Button } from '../../parts/button.tsx';
import { Card } from '../../parts/card.tsx';
import { Confirm } from '../../parts/dialog.tsx';
import { Field, Select } from '../../parts/fields.tsx';
import { ProblemNotice } from '../../parts/notice.tsx';
import { hrefOf } from '../../route.ts';
import type { CollectionView } from '../../server/shapes.ts';
import { useAction, useLoaded } from '../../server/use-server.ts';
import { may, usePrincipal } from '../../shell/principal.tsx';
import { goTo } from '../../shell/use-route.ts';
import { useLocale } from '../../words/locale.tsx';
import { modelFacts } from '../models/model-facts.ts';
import { SidesSearch } from './sides-search.tsx';
import type { Side } from './sides.ts';
import { useModels } from './use-collections.ts';

/** A collection's migration to another model or collection: its two sides and the possible steps. */
export function MigrationCard({
  collection,
  onChange,
}: {
  collection: CollectionView;
  onChange: () => void;
}) {
  const { other, twin } = collection;
  const isAdmin = may(usePrincipal(), 'admin');
  if (other !== undefined || twin !== undefined) return <Sides collection={collection} onChange={onChange} />;
  return isAdmin && collection.documents > 0 ? <Begin collection={collection} /> : null;
}

function Sides({ collection, onChange }: { collection: CollectionView; onChange: () => void }) {
  const { t, format } = useLocale();
  const principal = usePrincipal();
  const isAdmin = may(principal, 'admin');
  const { name, profile, dims, other, twin } = collection;
  const [asks, setAsks] = useState(false);
  const exchange = useAction(async (client) => {
    await client.migrations.exchange(name);
    onChange();
  });
  const end = useAction(async (client) => {
    await client.migrations.end(name);
    onChange();
  });
  const problem = exchange.problem ?? end.problem;
  return (
    <Card
      title={t('migration')}
      actions={
        isAdmin && (
          <>
            <Button onClick={() => void exchange.run()} disabled={exchange.isRunning}>
              {t('migration.exchange')}
            </Button>
            <Button kind="danger" onClick={() => setAsks(true)}>
              {t('migration.end')}
            </Button>
          </>
        )
      }
    >
      {problem !== undefined && <ProblemNotice problem={problem} />}
      <div class="form">
        <div class="columns sides">
          <div class="side" data-used="true">
            <span class="badge" data-tone="good">
              {t('migration.used')}
            </span>
            <strong class="break">{twin === undefined ? profile.model : name}</strong>
            <span class="muted small">{t('dims', { dims: format.count(dims) })}</span>
            {twin === undefined && <SideFacts model={profile.model} />}
            <span class="muted small">
              {t('migration.twin', {
                documents: format.count(collection.documents),
                chunks: format.count(collection.points),
              })}
            </span>
          </div>
          <div class="side">
            <span class="badge">{t('migration.beside')}</span>
            {other !== undefined && (
              <>
                <strong class="break">{other.model}</strong>
                <span class="muted small">{t('dims', { dims: format.count(other.dims) })}</span>
                <SideFacts model={other.model} />
              </>
            )}
            {twin !== undefined && <Twin name={twin.name} />}
          </div>
        </div>
        {may(principal, 'search') && <SidesSearch sides={sidesOf(collection)} />}
      </div>
      {asks && (
        <Confirm
          title={t('migration.end')}
          what={t('migration.end.what')}
          action={t('migration.end')}
          onConfirm={() => void end.run()}
          onClose={() => setAsks(false)}
        />
      )}
    </Card>
  );
}

/** The side that searches use, and the other side: another model's vectors, or another collection. */
function sidesOf({ name, vector, profile, other, twin }: CollectionView): readonly [Side, Side] {
  return other === undefined
    ? [
        { title: name, collection: name },
        { title: twin?.name ?? name, collection: twin?.name ?? name },
      ]
    : [
        { title: profile.model, collection: name, vector },
        { title: other.model, collection: name, vector: other.name },
      ];
}

/** The facts of a side's model, for comparison with the other side’s. */
function SideFacts({ model }: { model: string }) {
  const locale = useLocale();
  const found = useModels().data?.find(({ name }) => name === model);
  if (found === undefined) return null;
  return <span class="muted small">{modelFacts(found, locale).slice(1).join(' · ')}</span>;
}

function Twin({ name }: { name: string }) {
  const { t, format } = useLocale();
  const { data } = useLoaded(`twin ${name}`, (client, options) => client.collections.get(name, options));
  return (
    <>
      <a href={hrefOf('collections', [name])}>{name}</a>
      {data !== undefined && (
        <span class="muted small">
          {t('migration.twin', {
            documents: format.count(data.documents),
            chunks: format.count(data.points),
          })}
        </span>
      )}
    </>
  );
}

function Begin({ collection: { name, profile } }: { collection: CollectionView }) {
  const { t } = useLocale();
  const models = useModels();
  const [model, setModel] = useState('');
  const begin = useAction(async (client) => {
    goTo('jobs', [(await client.migrations.begin(name, { model })).id]);
  });
  const others = (models.data ?? []).filter((one) => one.kind === 'dense' && one.name !== profile.model);
  return (
    <details class="card fold">
      <summary>{t('migration.begin')}</summary>
      <div class="card-body form">
        <p class="muted">{t('migration.begin.what')}</p>
        {begin.problem !== undefined && <ProblemNotice problem={begin.problem} />}
        <div class="filters">
          <Field label={t('model')} grow>
            <Select
              value={model}
              options={[
                { value: '', label: t('choose') },
                ...others.map((one) => ({ value: one.name, label: one.name })),
              ]}
              onChange={setModel}
            />
          </Field>
          <Button disabled={model === '' || begin.isRunning} onClick={() => void begin.run()}>
            {t('migration.start')}
          </Button>
        </div>
      </div>
    </details>
  );
}
