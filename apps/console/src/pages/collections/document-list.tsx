import { useState } from 'preact/hooks';
import { Button } from '../../parts/button.tsx';
import { Card, Shown } from '../../parts/card.tsx';
import { Field } from '../../parts/fields.tsx';
import { Empty } from '../../parts/notice.tsx';
import { hrefOf, type Route } from '../../route.ts';
import type { CollectionView, Filter, Hit, ListedDocument } from '../../server/shapes.ts';
import { useLoaded } from '../../server/use-server.ts';
import { replaceQuery } from '../../shell/use-route.ts';
import { useLocale } from '../../words/locale.tsx';
import { FilterForm } from '../search/filter-form.tsx';
import { filterOf, type Condition } from '../search/filter.ts';
import { metadataText } from './metadata-text.ts';

const PAGE = 50;

/** A row of the table: a document with its first chunk, or with the chunk that was found. */
type Listed = Pick<ListedDocument, 'id' | 'title' | 'text' | 'chunks' | 'metadata'> & {
  readonly tenant?: string | undefined;
};

/** A collection’s documents, page by page: all of them, those that match a filter, or those nearest to some words. */
export function DocumentList({ collection, route }: { collection: CollectionView; route: Route }) {
  const { t } = useLocale();
  const [conditions, setConditions] = useState<readonly Condition[]>([]);
  const query = route.query['query'] ?? '';
  const types = collection.profile.filterable;
  const filter = filterOf(conditions, types);
  return (
    <>
      <div class="form">
        <Field label={t('documents.find')} hint={t('documents.find.hint')}>
          <input
            class="input"
            type="search"
            value={query}
            onChange={(event) => replaceQuery(route, { ...route.query, query: event.currentTarget.value })}
          />
        </Field>
        <FilterForm types={types} conditions={conditions} onChange={setConditions} />
      </div>
      {query === '' ? (
        <All key={JSON.stringify(filter)} collection={collection.name} filter={filter} />
      ) : (
        <Found collection={collection.name} query={query} filter={filter} />
      )}
    </>
  );
}

function All({ collection, filter }: { collection: string; filter: Filter | undefined }) {
  const { t } = useLocale();
  const [trail, setTrail] = useState<readonly string[]>([]);
  const after = trail.at(-1);
  const params = {
    path: { name: collection },
    query: {
      limit: PAGE,
      ...(filter !== undefined && { filter: JSON.stringify(filter) }),
      ...(after !== undefined && { after }),
    },
  };
  const loaded = useLoaded(`documents of ${collection} ${JSON.stringify(params.query)}`, (client, options) =>
    client.read((api, init) => api.GET('/api/v1/collections/{name}/documents', { ...init, params }), options),
  );
  return (
    <Card whole>
      <Shown of={loaded} lines={8}>
        {({ documents, next }) => (
          <>
            <Table collection={collection} rows={documents} />
            {(after !== undefined || next !== null) && (
              <div class="actions pager">
                <Button disabled={after === undefined} onClick={() => setTrail(trail.slice(0, -1))}>
                  {t('page.before')}
                </Button>
                <Button disabled={next === null} onClick={() => next !== null && setTrail([...trail, next])}>
                  {t('page.next')}
                </Button>
              </div>
            )}
          </>
        )}
      </Shown>
    </Card>
  );
}

function Found({
  collection,
  query,
  filter,
}: {
  collection: string;
  query: string;
  filter: Filter | undefined;
}) {
  const request = { query, limit: PAGE, group: true, filter };
  const loaded = useLoaded(`found in ${collection} ${JSON.stringify(request)}`, (client, options) =>
    client.search(collection, request, options),
  );
  return (
    <Card whole>
      <Shown of={loaded} lines={8}>
        {({ hits }) => <Table collection={collection} rows={hits.map(listedHit)} />}
      </Shown>
    </Card>
  );
}

function listedHit({ id, tenant, title, text, chunk, metadata }: Hit): Listed {
  return { id, tenant, title, text, chunks: chunk.count, metadata };
}

function Table({ collection, rows }: { collection: string; rows: readonly Listed[] }) {
  const { t, format } = useLocale();
  if (rows.length === 0) {
    return (
      <Empty icon="file" title={t('documents.none')}>
        {t('documents.none.what')}
      </Empty>
    );
  }
  return (
    <div class="table-box" tabIndex={0} role="region" aria-label={t('documents')}>
      <table>
        <thead>
          <tr>
            <th scope="col">{t('document')}</th>
            <th scope="col" class="wide">
              {t('metadata')}
            </th>
            <th scope="col" class="number">
              {t('chunks')}
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ id, tenant, title, text, chunks, metadata }) => (
            <tr class="row" key={`${tenant ?? ''} ${id}`}>
              <td class="document-cell">
                <div class="stack">
                  <a
                    class="clip"
                    href={hrefOf('collections', [collection, 'documents', id], { tenant: tenant ?? '' })}
                  >
                    {title ?? id}
                  </a>
                  <span class="muted small clip">{text}</span>
                </div>
              </td>
              <td class="wide metadata-cell">
                <span class="clip mono small muted">{metadataLine(metadata)}</span>
              </td>
              <td class="number">{format.count(chunks)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function metadataLine(metadata: Readonly<Record<string, unknown>>): string {
  return Object.entries(metadata)
    .map(([name, value]) => `${name}: ${metadataText(value)}`)
    .join('  ');
}
