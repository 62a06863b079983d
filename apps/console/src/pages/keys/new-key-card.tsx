import { useState } from 'preact/hooks';
import { Button, Code } from '../../parts/button.tsx';
import { Card } from '../../parts/card.tsx';
import { Dialog } from '../../parts/dialog.tsx';
import { Check, Field } from '../../parts/fields.tsx';
import { ProblemNotice } from '../../parts/notice.tsx';
import { useAction } from '../../server/use-server.ts';
import { usePrincipal } from '../../shell/principal.tsx';
import { useLocale } from '../../words/locale.tsx';
import { keyCommand, wantedKey, type NewKey } from './key-command.ts';

const SCOPES = ['submit', 'search', 'admin'] as const;
const NOTHING: NewKey = {
  name: '',
  scopes: ['submit', 'search'],
  tenant: '',
  collections: '',
  expiresIn: '',
};

/** What the command creates until the form is changed. */
const FIRST: NewKey = {
  name: 'admin',
  scopes: ['admin'],
  tenant: '',
  collections: '',
  expiresIn: '',
};

/** Creates a key, which is shown only once; or shows the command that adds it to the keys file. */
export function NewKeyCard({ onMade }: { onMade: () => void }) {
  const { t } = useLocale();
  const { everyone } = usePrincipal();
  const [key, setKey] = useState<NewKey>(NOTHING);
  const [made, setMade] = useState<{ key: string; name: string }>();
  const create = useAction(async (client) => {
    const answer = await client.keys.create(wantedKey(key, Date.now()));
    setMade({ key: answer.key, name: answer.entry.name });
    setKey(NOTHING);
    onMade();
  });
  const isWhole = key.name.trim() !== '' && key.scopes.length > 0;
  const set = (change: Partial<NewKey>) => setKey((before) => ({ ...before, ...change }));
  const isAdmin = key.scopes.includes('admin');
  const toggle = (scope: string, checked: boolean) =>
    set({
      scopes: SCOPES.filter((one) => (one === scope ? checked : key.scopes.includes(one))),
      ...(scope === 'admin' && checked && { tenant: '' }),
    });
  return (
    <Card title={t('keys.make')}>
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          if (isWhole && !everyone) void create.run();
        }}
      >
        <p class="muted">{t(everyone ? 'keys.open' : 'keys.make.what')}</p>
        {create.problem !== undefined && <ProblemNotice problem={create.problem} />}
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
        {everyone ? (
          <Code text={keyCommand(isWhole ? key : FIRST, Date.now())} />
        ) : (
          <>
            <div class="actions">
              <Button kind="primary" type="submit" disabled={!isWhole || create.isRunning}>
                {t('keys.create')}
              </Button>
            </div>
            {isWhole && (
              <details>
                <summary>{t('keys.asCommand')}</summary>
                <Code text={keyCommand(key, Date.now())} />
              </details>
            )}
          </>
        )}
      </form>
      {made !== undefined && (
        <Dialog title={t('keys.shown', { name: made.name })}>
          <p>{t('keys.shown.what')}</p>
          <Code text={made.key} />
          <div class="actions">
            <Button kind="primary" onClick={() => setMade(undefined)}>
              {t('keys.done')}
            </Button>
          </div>
        </Dialog>
      )}
    </Card>
  );
}
