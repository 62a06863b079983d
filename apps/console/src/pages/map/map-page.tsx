import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { Button } from '../../parts/button.tsx';
import { Card, PageHead, Shown } from '../../parts/card.tsx';
import { Field, Select } from '../../parts/fields.tsx';
import { Empty, Notice, ProblemNotice } from '../../parts/notice.tsx';
import { Progress } from '../../parts/progress.tsx';
import type { Route } from '../../route.ts';
import type { CollectionView } from '../../server/shapes.ts';
import { useAction, useLoaded } from '../../server/use-server.ts';
import { goTo } from '../../shell/use-route.ts';
import { useLocale } from '../../words/locale.tsx';
import '../../style/map.css';
import { useCollections } from '../collections/use-collections.ts';
import { MapView } from './map-view.tsx';

const LOOK_MS = 1500;
/** The most fields whose values a map carries. */
const MOST_FIELDS = 8;

/** A collection as a map: `#/map/COLLECTION`. */
export function MapPage({ route }: { route: Route }) {
  const { t } = useLocale();
  const loaded = useCollections();
  return (
    <>
      <PageHead title={t('page.map')}>{t('map.what')}</PageHead>
      <Shown of={loaded} lines={6}>
        {({ collections }) => {
          const largest = collections.toSorted((a, b) => b.documents - a.documents)[0];
          const chosen = collections.find(({ name }) => name === route.parts[0]) ?? largest;
          return chosen === undefined ? (
            <Empty icon="map" title={t('collections.none')}>
              {t('collections.none.what')}
            </Empty>
          ) : (
            <>
              <div class="filters">
                <Field label={t('collection')}>
                  <Select
                    value={chosen.name}
                    options={collections.map(({ name }) => ({ value: name, label: name }))}
                    onChange={(name) => goTo('map', [name])}
                  />
                </Field>
              </div>
              <CollectionMap key={chosen.name} collection={chosen} />
            </>
          );
        }}
      </Shown>
    </>
  );
}

function CollectionMap({ collection }: { collection: CollectionView }) {
  const { t, format } = useLocale();
  const { name } = collection;
  const params = { path: { name } };
  const [isWatching, setIsWatching] = useState(true);
  const state = useLoaded(
    `map of ${name}`,
    (client, options) =>
      client.read((api, init) => api.GET('/api/v1/collections/{name}/map', { ...init, params }), options),
    isWatching ? LOOK_MS : undefined,
  );
  const { data } = state;
  useEffect(() => {
    if (data !== undefined) setIsWatching(data.state === 'computing');
  }, [data]);
  const compute = useAction(async (client, update: boolean) => {
    const fields = Object.keys(collection.profile.filterable).slice(0, MOST_FIELDS);
    const body = update ? { update } : { fields };
    await client.ask((api, init) => api.POST('/api/v1/collections/{name}/map', { ...init, params, body }));
    setIsWatching(true);
    state.reload();
  });
  if (data === undefined) {
    return state.problem === undefined ? null : (
      <ProblemNotice problem={state.problem} onRetry={state.reload} />
    );
  }
  const isComputing = data.state === 'computing';
  return (
    <>
      {compute.problem !== undefined && <ProblemNotice problem={compute.problem} />}
      {data.error !== null && <Notice tone="bad" title={data.error} />}
      {isComputing && (
        <Card title={t('map.computing')}>
          <Progress label={t('map.computing')} stretches={[{ share: data.progress }]} />
        </Card>
      )}
      {data.computedAt === null ? (
        !isComputing && (
          <Card>
            <Empty
              icon="map"
              title={t('map.none')}
              actions={
                <Button kind="primary" disabled={compute.isRunning} onClick={() => void compute.run(false)}>
                  {t('map.compute')}
                </Button>
              }
            >
              {t('map.none.what')}
            </Empty>
          </Card>
        )
      ) : (
        <Computed
          computedAt={data.computedAt}
          collection={collection}
          actions={
            <>
              <span class="muted small">
                {t('map.points', { points: format.count(data.points), total: format.count(data.total) })}
              </span>
              <Button size="tiny" disabled={isComputing} onClick={() => void compute.run(true)}>
                {t('map.update')}
              </Button>
              <Button size="tiny" disabled={isComputing} onClick={() => void compute.run(false)}>
                {t('map.again')}
              </Button>
            </>
          }
        />
      )}
    </>
  );
}

function Computed({
  computedAt,
  collection,
  actions,
}: {
  computedAt: string;
  collection: CollectionView;
  actions: ComponentChildren;
}) {
  const params = { path: { name: collection.name } };
  const points = useLoaded(`points of ${collection.name} ${computedAt}`, (client, options) =>
    client.read(
      (api, init) => api.GET('/api/v1/collections/{name}/map/points', { ...init, params }),
      options,
    ),
  );
  return (
    <Shown of={points} lines={10}>
      {(map) => <MapView map={map} collection={collection.name} actions={actions} />}
    </Shown>
  );
}
