import { useEffect, useState } from 'preact/hooks';
import { PageHead, Shown } from '../../parts/card.tsx';
import { Empty } from '../../parts/notice.tsx';
import { hrefOf, type Route } from '../../route.ts';
import type { CollectionView } from '../../server/shapes.ts';
import { goTo } from '../../shell/use-route.ts';
import { useLocale } from '../../words/locale.tsx';
import { useCollections } from '../collections/use-collections.ts';
import { isWhole, modesOf, type Asked, type Example, type Mode } from './asked.ts';
import { ExampleBar } from './example-bar.tsx';
import { Results } from './results.tsx';
import { SearchForm } from './search-form.tsx';
import { SnippetCard } from './snippet-card.tsx';

const LIMIT = 10;

/** The playground: `#/search/COLLECTION?query=&like=`. */
export function SearchPage({ route }: { route: Route }) {
  const { t } = useLocale();
  const loaded = useCollections();
  return (
    <>
      <PageHead title={t('page.search')}>{t('search.what')}</PageHead>
      <Shown of={loaded} lines={6}>
        {({ collections }) => {
          const first = collections.toSorted((a, b) => b.documents - a.documents)[0];
          const chosen = collections.find(({ name }) => name === route.parts[0]) ?? first;
          return chosen === undefined ? (
            <Empty
              icon="search"
              title={t('collections.none')}
              actions={
                <a class="button primary" href={hrefOf('submit')}>
                  {t('jobs.submit')}
                </a>
              }
            >
              {t('collections.none.what')}
            </Empty>
          ) : (
            <Playground key={chosen.name} collection={chosen} collections={collections} route={route} />
          );
        }}
      </Shown>
    </>
  );
}

function Playground({
  collection,
  collections,
  route,
}: {
  collection: CollectionView;
  collections: readonly CollectionView[];
  route: Route;
}) {
  const { query: words = '', like } = route.query;
  const available = modesOf(collection);
  const [modes, setModes] = useState<readonly Mode[]>(available.slice(0, 1));
  const [asked, setAsked] = useState<Asked>(() => firstAsked(collection.name, words, like));
  // The address keeps the search, so that it can be shared.
  useEffect(() => {
    history.replaceState(null, '', hrefOf('search', [collection.name], { query: asked.query }));
  }, [collection.name, asked.query]);
  const addExample = (kind: 'positive' | 'negative', example: Example) =>
    setAsked((before) => ({ ...before, [kind]: [...before[kind], example] }));
  const [first = 'dense'] = modes;
  return (
    <>
      <SearchForm
        asked={asked}
        collection={collection}
        collections={collections}
        available={available}
        modes={modes}
        onModes={setModes}
        onAsk={(change) => setAsked((before) => ({ ...before, ...change }))}
        onCollection={(name) => goTo('search', [name], { query: asked.query })}
      />
      <ExampleBar asked={asked} onChange={(change) => setAsked((before) => ({ ...before, ...change }))} />
      {isWhole(asked) && (
        <>
          <SnippetCard asked={asked} mode={first} />
          <Results asked={asked} modes={modes} onExample={addExample} />
        </>
      )}
    </>
  );
}

function firstAsked(collection: string, query: string, like: string | undefined): Asked {
  return {
    collection,
    query,
    positive: like === undefined ? [] : [{ id: like }],
    negative: [],
    rerank: 'none',
    fusion: 'dbsf',
    group: false,
    limit: LIMIT,
    filter: undefined,
  };
}
