import { Card, Figure, PageHead, Shown } from '../../parts/card.tsx';
import { hrefOf, type Route } from '../../route.ts';
import type { CountedCollection } from '../../server/shapes.ts';
import { useLoaded } from '../../server/use-server.ts';
import { may, usePrincipal } from '../../shell/principal.tsx';
import { useLocale } from '../../words/locale.tsx';
import { Facts } from '../../parts/facts.tsx';
import { CollectionActions } from './collection-actions.tsx';
import { DocumentList } from './document-list.tsx';
import { MigrationCard } from './migration-card.tsx';
import { ProfileCard } from './profile-card.tsx';
import { SourcesCard } from './sources-card.tsx';

const TABS = ['profile', 'documents', 'sources'] as const;
type Tab = (typeof TABS)[number];

export function CollectionPage({
  name,
  tab: given,
  route,
}: {
  name: string;
  tab: string | undefined;
  route: Route;
}) {
  const { t } = useLocale();
  const principal = usePrincipal();
  const tab = TABS.find((one) => one === given) ?? 'profile';
  const loaded = useLoaded(`collection ${name}`, (client, options) => client.collections.get(name, options));
  const tabs = TABS.filter((one) => isFor(one, principal));
  return (
    <>
      <PageHead
        trail={<a href={hrefOf('collections')}>{t('page.collections')}</a>}
        title={name}
        actions={loaded.data !== undefined && <CollectionActions collection={loaded.data} />}
      />
      {loaded.problem?.code !== 'collection_not_found' && (
        <nav class="tabs" aria-label={t('collection.tabs')}>
          {tabs.map((one) => (
            <a
              key={one}
              href={hrefOf('collections', [name, one])}
              aria-current={one === tab ? 'page' : undefined}
            >
              {t(`tab.${one}`)}
            </a>
          ))}
        </nav>
      )}
      <Shown of={loaded} lines={8}>
        {(collection) => <TabOf tab={tab} collection={collection} route={route} onChange={loaded.reload} />}
      </Shown>
    </>
  );
}

function isFor(tab: Tab, principal: Parameters<typeof may>[0]): boolean {
  switch (tab) {
    case 'profile':
      return true;
    case 'documents':
      return may(principal, 'search');
    case 'sources':
      return may(principal, 'submit');
  }
}

function TabOf({
  tab,
  collection,
  route,
  onChange,
}: {
  tab: Tab;
  collection: CountedCollection;
  route: Route;
  onChange: () => void;
}) {
  switch (tab) {
    case 'profile':
      return <Profile collection={collection} onChange={onChange} />;
    case 'documents':
      return <DocumentList collection={collection} route={route} />;
    case 'sources':
      return <SourcesCard collection={collection.name} />;
  }
}

function Profile({ collection, onChange }: { collection: CountedCollection; onChange: () => void }) {
  const { t, format } = useLocale();
  const { documents, points, dims } = collection;
  return (
    <>
      <dl class="figures">
        <Figure name={t('documents')} value={format.count(documents)} />
        <Figure
          name={t('chunks')}
          value={format.count(points)}
          note={
            documents > 0 && t('collection.perDocument', { chunks: format.decimal(points / documents, 1) })
          }
        />
        <Figure
          name={t('collection.vectors')}
          value={format.bytes(points * bytesOf(collection))}
          note={t('collection.estimate', { dims: format.count(dims) })}
        />
      </dl>
      <MigrationCard collection={collection} onChange={onChange} />
      <div class="columns">
        <ProfileCard collection={collection} onChange={onChange} />
        <div class="form">
          <Counts
            title={t('collection.sources')}
            counts={collection.sources.map(({ source, documents: count }) => [
              source ?? t('collection.noSource'),
              count,
            ])}
          />
          <Counts
            title={t('collection.tenants')}
            counts={collection.tenants.map(({ tenant, documents: count }) => [tenant, count])}
          />
        </div>
      </div>
    </>
  );
}

/** Bytes of a dense vector as searches first read it. */
function bytesOf({ dims, profile: { storage } }: CountedCollection): number {
  switch (storage) {
    case 'float32':
      return dims * 4;
    case 'int8':
      return dims;
    case 'binary':
      return dims / 8;
  }
}

function Counts({ title, counts }: { title: string; counts: readonly (readonly [string, number])[] }) {
  const { format } = useLocale();
  if (counts.length === 0) return null;
  return (
    <Card title={title}>
      <Facts facts={counts.map(([name, count]) => [name, format.count(count)])} />
    </Card>
  );
}
