import { useState } from 'preact/hooks';
import { Code } from '../../parts/button.tsx';
import { Card, PageHead, Shown } from '../../parts/card.tsx';
import { Check, Field } from '../../parts/fields.tsx';
import { Empty } from '../../parts/notice.tsx';
import { useNow } from '../../parts/use-now.ts';
import type { KeyView } from '../../server/shapes.ts';
import { useLoaded } from '../../server/use-server.ts';
import { useLocale } from '../../words/locale.tsx';
import { keyCommand, type NewKey } from './key-command.ts';

const SCOPES = ['submit', 'search', 'admin'] as const;

/** Which keys there are, and the command that makes one more. */
export function KeysPage() {
  const { t } = useLocale();
  const loaded = useLoaded('keys', (server, signal) =>
    server.get<{ keys: KeyView[] }>('api/v1/keys', signal),
  );
  return (
    <>
      <PageHead title={t('page.keys')}>{t('keys.what')}</PageHead>
      <Card whole>
        <Shown of={loaded}>
          {({ keys }) =>
            keys.length === 0 ? (
              <Empty icon="keys" title={t('keys.none')}>
                {t('keys.none.what')}
              </Empty>
            ) : (
              <Table keys={keys} />
            )
          }
        </Shown>
      </Card>
      <NewKeyCard />
    </>
  );
}

function Table({ keys }: { keys: readonly KeyView[] }) {
  const { t, format } = useLocale();
  const now = useNow(60_000);
  return (
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
          </tr>
        </thead>
        <tbody>
          {keys.map(({ id, name, scopes, tenant, collections, expires, expired }) => (
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
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Keys are made where the keys file is: what is entered becomes the command for it. */
function NewKeyCard() {
  const { t } = useLocale();
  const [key, setKey] = useState<NewKey>({
    name: '',
    scopes: ['submit', 'search'],
    tenant: '',
    collections: '',
    expiresIn: '',
  });
  const set = (change: Partial<NewKey>) => setKey((before) => ({ ...before, ...change }));
  const isAdmin = key.scopes.includes('admin');
  const toggle = (scope: string, checked: boolean) =>
    set({
      scopes: SCOPES.filter((one) => (one === scope ? checked : key.scopes.includes(one))),
      ...(scope === 'admin' && checked && { tenant: '' }),
    });
  return (
    <Card title={t('keys.make')}>
      <div class="form">
        <p class="muted">{t('keys.make.what')}</p>
        <div class="form-row">
          <Field label={t('name')}>
            <input
              class="input"
              value={key.name}
              onInput={(event) => set({ name: event.currentTarget.value })}
            />
          </Field>
          <Field label={t('tenant')} hint={isAdmin ? t('keys.adminTenant') : t('keys.tenant.hint')}>
            <input
              class="input"
              disabled={isAdmin}
              value={key.tenant}
              onInput={(event) => set({ tenant: event.currentTarget.value })}
            />
          </Field>
          <Field label={t('page.collections')} hint={t('keys.collections.hint')}>
            <input
              class="input"
              value={key.collections}
              onInput={(event) => set({ collections: event.currentTarget.value })}
            />
          </Field>
          <Field label={t('keys.days')} hint={t('keys.days.hint')}>
            <input
              class="input"
              type="number"
              min={1}
              value={key.expiresIn}
              onInput={(event) => set({ expiresIn: event.currentTarget.value })}
            />
          </Field>
        </div>
        <fieldset class="group row">
          <legend class="legend">{t('keys.scopes')}</legend>
          {SCOPES.map((scope) => (
            <Check
              key={scope}
              label={t(`scope.${scope}`)}
              checked={key.scopes.includes(scope)}
              onChange={(checked) => toggle(scope, checked)}
            />
          ))}
        </fieldset>
        {key.name.trim() !== '' && key.scopes.length > 0 && <Code text={keyCommand(key, Date.now())} />}
        <p class="muted small">{t('keys.revoke')}</p>
      </div>
    </Card>
  );
}
