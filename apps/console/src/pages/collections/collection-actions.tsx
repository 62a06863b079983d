import { DeleteButton } from '../../parts/delete-button.tsx';
import { hrefOf } from '../../route.ts';
import type { CollectionView } from '../../server/shapes.ts';
import { may, usePrincipal } from '../../shell/principal.tsx';
import { useLocale } from '../../words/locale.tsx';

/** Links from a collection to other pages, and its deletion. */
export function CollectionActions({ collection: { name, documents } }: { collection: CollectionView }) {
  const { t, format } = useLocale();
  const principal = usePrincipal();
  return (
    <>
      {may(principal, 'search') && (
        <>
          <a class="button" href={hrefOf('map', [name])}>
            {t('page.map')}
          </a>
          <a class="button" href={hrefOf('search', [name])}>
            {t('page.search')}
          </a>
        </>
      )}
      {may(principal, 'submit') && (
        <a class="button" href={hrefOf('submit', [], { collection: name })}>
          {t('page.submit')}
        </a>
      )}
      {may(principal, 'admin') && (
        <DeleteButton
          remove={(client) => client.collections.delete(name)}
          title={t('collection.delete', { name })}
          what={t('collection.delete.what', { documents: format.count(documents) })}
          then={['collections']}
        />
      )}
    </>
  );
}
