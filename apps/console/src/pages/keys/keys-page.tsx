import { useState } from 'preact/hooks';
import { Button } from '../../parts/button.tsx';
import { Card, PageHead, Shown } from '../../parts/card.tsx';
import { Confirm } from '../../parts/dialog.tsx';
import { Empty, ProblemNotice } from '../../parts/notice.tsx';
import { useNow } from '../../parts/use-now.ts';
import type { KeyView } from '../../server/shapes.ts';
import { useAction, useLoaded } from '../../server/use-server.ts';
import { useLocale } from '../../words/locale.tsx';
import { NewKeyCard } from './new-key-card.tsx';

/** Lists the keys, creates new ones, and revokes those that were created here. */
export function KeysPage() {
  const { t } = useLocale();
  const loaded = useLoaded('keys', (client, options) => client.keys.list(options));
  return (
    <>
      <PageHead title={t('page.keys')}>{t('keys.what')}</PageHead>
      <Card whole>
        <Shown of={loaded}>
          {(keys) =>
            keys.length === 0 ? (
              <Empty icon="keys" title={t('keys.none')}>
                {t('keys.none.what')}
              </Empty>
            ) : (
              <Table keys={keys} onRevoked={loaded.reload} />
            )
          }
        </Shown>
      </Card>
      <NewKeyCard onMade={loaded.reload} />
    </>
  );
}

function Table({ keys, onRevoked }: { keys: readonly KeyView[]; onRevoked: () => void }) {
  const { t, format } = useLocale();
  const now = useNow(60_000);
  const [asks, setAsks] = useState<KeyView>();
  const revoke = useAction(async (client, id: string) => {
    await client.keys.revoke(id);
    onRevoked();
  });
  return (
    <>
      {revoke.problem !== undefined && <ProblemNotice problem={revoke.problem} />}
      <div class="table-box" tabIndex={0} role="region" aria-label={t('page.keys')}>
        <table>
          <thead>
            <tr>
              <th scope="col">{t('name')}</th>
              <th scope="col">{t('keys.scopes')}</th>
              <th scope="col" class="wide">
                {t('tenant')}
              </th>
              <th scope="col" class="wide">
                {t('page.collections')}
              </th>
              <th scope="col">{t('keys.expires')}</th>
              <th scope="col">
                <span class="unseen">{t('keys.revoke.do')}</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {keys.map((key) => {
              const { id, name, scopes, tenant, collections, expires, expired, keptIn } = key;
              return (
                <tr class="row" key={id}>
                  <td>
                    <div class="stack">
                      <span class="break">{name}</span>
                      <span class="muted small mono">em_{id}_…</span>
                    </div>
                  </td>
                  <td>
                    <span class="badges">
                      {scopes.map((scope) => (
                        <span key={scope} class="badge" data-tone={scope === 'admin' ? 'warn' : 'note'}>
                          {t(`scope.${scope}`)}
                        </span>
                      ))}
                    </span>
                  </td>
                  <td class="wide">{tenant ?? <span class="muted">{t('keys.all')}</span>}</td>
                  <td class="wide break">
                    {collections?.join(', ') ?? <span class="muted">{t('keys.all')}</span>}
                  </td>
                  <td>
                    {expires === undefined ? (
                      <span class="muted">{t('keys.never')}</span>
                    ) : expired ? (
                      <span class="badge" data-tone="bad">
                        {t('keys.expired')}
                      </span>
                    ) : (
                      <span title={format.time(expires)}>{format.relative(expires, now)}</span>
                    )}
                  </td>
                  <td class="number">
                    {keptIn === 'file' ? (
                      <span class="muted small">{t('keys.inFile')}</span>
                    ) : (
                      <Button size="tiny" kind="danger" onClick={() => setAsks(key)}>
                        {t('keys.revoke.do')}
                      </Button>
                    )}
                  </td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
      {asks !== undefined && (
        <Confirm
          title={t('keys.revoke.title', { name: asks.name })}
          what={t('keys.revoke.what')}
          action={t('keys.revoke.do')}
          onConfirm={() => void revoke.run(asks.id)}
          onClose={() => setAsks(undefined)}
        />
      )}
    </>
  );
}
