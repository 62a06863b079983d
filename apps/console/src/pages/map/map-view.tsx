import type { ComponentChildren } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import { Button } from '../../parts/button.tsx';
import { Field, Select } from '../../parts/fields.tsx';
import { ProblemNotice } from '../../parts/notice.tsx';
import { hrefOf } from '../../route.ts';
import type { Hit, MapPoints } from '../../server/shapes.ts';
import { useAction } from '../../server/use-server.ts';
import { useLocale } from '../../words/locale.tsx';
import { clusterColours, coloursOf, type MapValue } from './colours.ts';
import { MapCanvas } from './map-canvas.tsx';

const CLUSTER = ' cluster';
const HITS = 100;
const LISTED = 100;

/** The map with its tools: colours, search hits, a lasso. */
export function MapView({
  map,
  collection,
  actions,
}: {
  map: MapPoints;
  collection: string;
  actions: ComponentChildren;
}) {
  const { t, format } = useLocale();
  const [field, setField] = useState(CLUSTER);
  const [query, setQuery] = useState('');
  const [found, setFound] = useState<readonly number[]>([]);
  const [hovered, setHovered] = useState<number>();
  const [isLasso, setIsLasso] = useState(false);
  const lit = useMemo(() => new Set(found), [found]);
  const { colours, legend } = useMemo(() => {
    if (field === CLUSTER)
      return clusterColours(
        map.cluster,
        map.clusters.map(({ words }) => words.slice(0, 2).join(', ')),
      );
    const nameOf = (value: MapValue) => {
      if (value === null) return t('map.without');
      return typeof value === 'number' ? format.decimal(value, 2) : String(value);
    };
    return coloursOf(map.values[field] ?? [], nameOf);
  }, [map, field, t, format]);
  const search = useAction(async (client) => {
    const { hits } = await client.search(collection, { query, limit: HITS });
    setFound(pointsOf(map, hits));
  });
  return (
    <>
      {search.problem !== undefined && <ProblemNotice problem={search.problem} />}
      <section class="card map" aria-label={t('page.map')}>
        <form
          class="card-head"
          role="search"
          onSubmit={(event) => {
            event.preventDefault();
            if (query.trim() === '') setFound([]);
            else void search.run();
          }}
        >
          <div class="filters grow">
            <Field label={t('map.search')} grow>
              <input
                class="input"
                type="search"
                value={query}
                onInput={(event) => setQuery(event.currentTarget.value)}
              />
            </Field>
            <Field label={t('map.colour')}>
              <Select
                value={field}
                options={[
                  { value: CLUSTER, label: t('map.cluster') },
                  ...Object.keys(map.values).map((value) => ({ value, label: value })),
                ]}
                onChange={setField}
              />
            </Field>
            <Button
              pressed={isLasso}
              {...(isLasso && { kind: 'primary' })}
              onClick={() => setIsLasso(!isLasso)}
            >
              {t('map.lasso')}
            </Button>
          </div>
          <div class="actions">{actions}</div>
        </form>
        <div class="map-box">
          <MapCanvas
            map={map}
            colours={colours}
            lit={lit}
            isLasso={isLasso}
            onHover={setHovered}
            onChosen={(points) => {
              setFound(points);
              setIsLasso(false);
            }}
          />
          {hovered !== undefined && (
            <p class="map-hover clip">
              <span class="dot" style={{ color: colours[hovered] ?? '' }} /> {map.documents[hovered]}
              {field !== CLUSTER && ` · ${String(map.values[field]?.[hovered] ?? '')}`}
            </p>
          )}
        </div>
        <ul class="map-legend small">
          {legend.map(({ colour, name, count }, n) => (
            <li key={n}>
              <span class="dot" style={{ color: colour }} /> {name}{' '}
              <span class="muted">{format.compact(count)}</span>
            </li>
          ))}
        </ul>
      </section>
      {found.length > 0 && (
        <Listed map={map} collection={collection} found={found} onClear={() => setFound([])} />
      )}
    </>
  );
}

/** The places of hits on the map; hits that are not on it are left out. */
function pointsOf(map: MapPoints, hits: readonly Hit[]): number[] {
  const byChunk = new Map(map.documents.map((document, n) => [`${map.chunks[n]} ${document}`, n]));
  return hits.flatMap(({ id, chunk }) => byChunk.get(`${chunk.index} ${id}`) ?? []);
}

function Listed({
  map,
  collection,
  found,
  onClear,
}: {
  map: MapPoints;
  collection: string;
  found: readonly number[];
  onClear: () => void;
}) {
  const { t, format } = useLocale();
  return (
    <section class="card" aria-label={t('map.chosen')}>
      <div class="card-head">
        <h2>
          {t('map.chosen')} <span class="muted small">{format.count(found.length)}</span>
        </h2>
        <Button size="tiny" onClick={onClear}>
          {t('map.clear')}
        </Button>
      </div>
      <ul class="map-list">
        {found.slice(0, LISTED).map((n) => (
          <li key={n}>
            <a class="clip" href={hrefOf('collections', [collection, 'documents', map.documents[n] ?? ''])}>
              {map.documents[n]}
            </a>
          </li>
        ))}
      </ul>
    </section>
  );
}
