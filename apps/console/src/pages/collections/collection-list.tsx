import { useState } from 'preact/hooks';
import { Button } from '../../parts/button.tsx';
import { Card, PageHead, Shown } from '../../parts/card.tsx';
import { Dialog } from '../../parts/dialog.tsx';
import { Empty } from '../../parts/notice.tsx';
import { hrefOf } from '../../route.ts';
import { may, usePrincipal } from '../../shell/principal.tsx';
import { goTo } from '../../shell/use-route.ts';
import { useLocale } from '../../words/locale.tsx';
import { CollectionForm } from './collection-form.tsx';
import { useCollections, type Collections } from './use-collections.ts';

export function CollectionList() {
  const { t } = useLocale();
  const principal = usePrincipal();
  const loaded = useCollections();
  const [isMaking, setIsMaking] = useState(false);
  const make = may(principal, 'admin') && (
    <Button kind="primary" icon="plus" onClick={() => setIsMaking(true)}>
      {t('collections.make')}
    </Button>
  );
  return (
    <>
      <PageHead title={t('page.collections')} actions={make}>
        {t('collections.what')}
      </PageHead>
      <Card whole>
        <Shown of={loaded}>
          {(found) =>
            found.collections.length === 0 ? (
              <Empty icon="collections" title={t('collections.none')}>
                {t('collections.none.what')}
              </Empty>
            ) : (
              <Table found={found} />
            )
          }
        </Shown>
      </Card>
      {isMaking && (
        <Dialog title={t('collections.make')} onClose={() => setIsMaking(false)}>
          <CollectionForm
            onMade={({ name }) => goTo('collections', [name])}
            onCancel={() => setIsMaking(false)}
          />
        </Dialog>
      )}
    </>
  );
}

function Table({ found: { collections, aliases } }: { found: Collections }) {
  const { t, format } = useLocale();
  return (
    <div class="table-box" tabIndex={0} role="region" aria-label={t('page.collections')}>
      <table>
        <thead>
          <tr>
            <th scope="col">{t('name')}</th>
            <th scope="col" class="number">
              {t('documents')}
            </th>
            <th scope="col" class="number wide">
              {t('chunks')}
            </th>
            <th scope="col" class="wide">
              {t('model')}
            </th>
            <th scope="col" class="wide">
              {t('collection.sparse')}
            </th>
          </tr>
        </thead>
        <tbody>
          {collections.map(({ name, documents, points, profile, dims, other, twin }) => (
            <tr class="row" key={name}>
              <td>
                <div class="stack">
                  <span>
                    <a href={hrefOf('collections', [name])}>{name}</a>{' '}
                    {(other !== undefined || twin !== undefined) && (
                      <span class="badge" data-tone="note">
                        {t('collection.migrates')}
                      </span>
                    )}
                  </span>
                  <span class="muted small clip">
                    {aliases
                      .filter(({ collection }) => collection === name)
                      .map((alias) => `= ${alias.name}`)
                      .join('  ')}
                  </span>
                </div>
              </td>
              <td class="number">{format.count(documents)}</td>
              <td class="number wide">{format.count(points)}</td>
              <td class="wide">
                <span class="break">{profile.model}</span>{' '}
                <span class="muted small nowrap">{t('dims', { dims: format.count(dims) })}</span>
              </td>
              <td class="wide muted">{Object.keys(profile.sparse).join(', ') || '–'}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
