import { Card, PageHead, Shown } from '../../parts/card.tsx';
import { DeleteButton } from '../../parts/delete-button.tsx';
import { Facts } from '../../parts/facts.tsx';
import { hrefOf } from '../../route.ts';
import type { StoredChunk, StoredDocument } from '../../server/shapes.ts';
import { useLoaded } from '../../server/use-server.ts';
import { may, usePrincipal } from '../../shell/principal.tsx';
import { ChunkPlace } from './chunk-place.tsx';
import { metadataText } from './metadata-text.ts';
import { useLocale } from '../../words/locale.tsx';

const TERMS = 14;

/** One stored document: its chunks with their beginnings and ends, and its weighted words. */
export function DocumentPage({
  collection,
  id,
  tenant,
}: {
  collection: string;
  id: string;
  tenant: string | undefined;
}) {
  const { t } = useLocale();
  const name = `document ${collection} ${tenant ?? ''} ${id}`;
  const loaded = useLoaded(name, (client, options) =>
    client.documents.get(collection, id, { tenant, ...options }),
  );
  return (
    <>
      <PageHead
        trail={
          <>
            <a href={hrefOf('collections')}>{t('page.collections')}</a> /{' '}
            <a href={hrefOf('collections', [collection, 'documents'])}>{collection}</a>
          </>
        }
        title={loaded.data?.title ?? id}
        actions={<DocumentActions collection={collection} id={id} tenant={tenant} />}
      />
      <Shown of={loaded} lines={8}>
        {(document) => <Stored document={document} />}
      </Shown>
    </>
  );
}

function DocumentActions({
  collection,
  id,
  tenant,
}: {
  collection: string;
  id: string;
  tenant: string | undefined;
}) {
  const { t } = useLocale();
  const principal = usePrincipal();
  return (
    <>
      <a class="button" href={hrefOf('search', [collection], { like: id })}>
        {t('search.like')}
      </a>
      {may(principal, 'submit') && (
        <DeleteButton
          remove={(client) => client.documents.remove(collection, id, { tenant })}
          title={t('document.delete')}
          what={t('document.delete.what', { id })}
          then={['collections', [collection, 'documents']]}
        />
      )}
    </>
  );
}

function Stored({ document }: { document: StoredDocument }) {
  const { t, format } = useLocale();
  const { id, tenant, source, metadata, chunks, next, text } = document;
  return (
    <>
      <Card title={t('document')}>
        <Facts
          facts={[
            ['id', <span class="mono">{id}</span>],
            [t('tenant'), tenant],
            [t('job.source'), source ?? '–'],
            [t('document.characters'), format.count(text.length)],
            ...Object.entries(metadata).map(
              ([name, value]) => [name, <span class="mono">{metadataText(value)}</span>] as const,
            ),
          ]}
        />
      </Card>
      {chunks.map((chunk) => (
        <Chunk key={chunk.index} chunk={chunk} of={chunks.length} />
      ))}
      {next !== undefined && <p class="muted">{t('document.more', { from: format.count(next) })}</p>}
    </>
  );
}

function Chunk({
  chunk: { index, start, end, headings, pages, text, terms },
  of,
}: {
  chunk: StoredChunk;
  of: number;
}) {
  const { t, format } = useLocale();
  return (
    <Card
      title={t('document.chunk', { index: format.count(index + 1), count: format.count(of) })}
      actions={
        <span class="muted small number">
          {t('document.stretch', { start: format.count(start), end: format.count(end) })}
        </span>
      }
    >
      <div class="form">
        <ChunkPlace headings={headings} pages={pages} />
        <p class="text break">{text}</p>
        {Object.entries(terms).map(([scheme, weighted]) => (
          <div key={scheme}>
            <h3>{t('document.words', { scheme })}</h3>
            <ul class="terms">
              {weighted.slice(0, TERMS).map(({ term, weight }) => (
                <li key={term}>
                  <span class="break">{term}</span>
                  <meter min={0} max={weighted[0]?.weight ?? 1} value={weight} aria-label={term} />
                  <span class="number muted small">{format.fixed(weight, 2)}</span>
                </li>
              ))}
            </ul>
          </div>
        ))}
      </div>
    </Card>
  );
}
