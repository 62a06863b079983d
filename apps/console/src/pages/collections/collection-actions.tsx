import { useState } from 'preact/hooks';
import { Button } from '../../parts/button.tsx';
import { Confirm } from '../../parts/dialog.tsx';
import { ProblemNotice } from '../../parts/notice.tsx';
import { hrefOf } from '../../route.ts';
import type { CollectionView } from '../../server/shapes.ts';
import { useAction } from '../../server/use-server.ts';
import { may, usePrincipal } from '../../shell/principal.tsx';
import { goTo } from '../../shell/use-route.ts';
import { useLocale } from '../../words/locale.tsx';

/** The ways from a collection, and its end. */
export function CollectionActions({ collection: { name, documents } }: { collection: CollectionView }) {
  const { t, format } = useLocale();
  const principal = usePrincipal();
  const [asks, setAsks] = useState(false);
  const remove = useAction(async (server) => {
    await server.json('DELETE', `api/v1/collections/${encodeURIComponent(name)}`);
    goTo('collections');
  });
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
        <Button kind="danger" onClick={() => setAsks(true)}>
          {t('delete')}
        </Button>
      )}
      {remove.problem !== undefined && <ProblemNotice problem={remove.problem} />}
      {asks && (
        <Confirm
          title={t('collection.delete', { name })}
          what={t('collection.delete.what', { documents: format.count(documents) })}
          action={t('delete')}
          onConfirm={() => void remove.run()}
          onClose={() => setAsks(false)}
        />
      )}
    </>
  );
}
