import type { CallOptions, Client } from '@embedmill/client';
import { Shown } from '../../parts/card.tsx';
import { Empty } from '../../parts/notice.tsx';
import { useLoaded } from '../../server/use-server.ts';
import { useLocale } from '../../words/locale.tsx';
import { isByExample, requestOf, type ApiRequest, type Asked, type Example, type Mode } from './asked.ts';
import { HitCard } from './hit-card.tsx';

/** The hits of each mode, side by side. */
export function Results({
  asked,
  modes,
  onExample,
}: {
  asked: Asked;
  modes: readonly Mode[];
  onExample: (kind: 'positive' | 'negative', example: Example) => void;
}) {
  const shown = isByExample(asked) || asked.image !== undefined ? modes.slice(0, 1) : modes;
  return (
    <div class="results" data-columns={shown.length}>
      {shown.map((mode) => (
        <Column key={mode} asked={asked} mode={mode} isNamed={shown.length > 1} onExample={onExample} />
      ))}
    </div>
  );
}

function Column({
  asked,
  mode,
  isNamed,
  onExample,
}: {
  asked: Asked;
  mode: Mode;
  isNamed: boolean;
  onExample: (kind: 'positive' | 'negative', example: Example) => void;
}) {
  const { t, format } = useLocale();
  const request = requestOf(asked, mode);
  const loaded = useLoaded(JSON.stringify(request), async (client, options) => {
    const began = performance.now();
    const { hits } = await answerTo(request, client, options);
    return { hits, ms: performance.now() - began };
  });
  return (
    <section class="card" aria-label={t(`search.${mode}`)}>
      <div class="card-head">
        <h2>{isNamed ? t(`search.${mode}`) : t('search.hits')}</h2>
        {loaded.data !== undefined && (
          <span class="muted small">{t('search.took', { ms: format.count(loaded.data.ms) })}</span>
        )}
      </div>
      <div class="card-body whole">
        <Shown of={loaded} lines={8}>
          {({ hits }) =>
            hits.length === 0 ? (
              <Empty icon="search" title={t('search.nothing')}>
                {t('search.nothing.what')}
              </Empty>
            ) : (
              <ol>
                {hits.map((hit, n) => (
                  <HitCard
                    key={`${hit.id} ${hit.chunk.index}`}
                    hit={hit}
                    rank={n + 1}
                    collection={asked.collection}
                    onLike={() => onExample('positive', { id: hit.id })}
                    onUnlike={() => onExample('negative', { id: hit.id })}
                  />
                ))}
              </ol>
            )
          }
        </Shown>
      </div>
    </section>
  );
}

function answerTo(request: ApiRequest, client: Client, options: CallOptions) {
  const { verb, collection, body } = request;
  return verb === 'search'
    ? client.search(collection, body, options)
    : client.recommend(collection, body, options);
}
