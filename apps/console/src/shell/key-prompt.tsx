import { useState } from 'preact/hooks';
import { Button } from '../parts/button.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { Field } from '../parts/fields.tsx';
import { useServer, useSession } from '../server/use-server.ts';
import { useLocale } from '../words/locale.tsx';

/** Asks for a key, once the server has said that it wants one. */
export function KeyPrompt() {
  const { t } = useLocale();
  const { session } = useServer();
  const { wanted, key } = useSession();
  const [entered, setEntered] = useState('');
  if (!wanted) return null;
  return (
    <Dialog title={t('key.title')}>
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          if (entered.trim() === '') return;
          session.enter(entered.trim());
          setEntered('');
        }}
      >
        <p class="muted">{t('key.what')}</p>
        <Field label={t('key.label')} wrong={key === undefined ? undefined : t('key.refused')}>
          <input
            class="input mono"
            type="password"
            autocomplete="off"
            spellcheck={false}
            placeholder="em_…"
            aria-invalid={key !== undefined}
            value={entered}
            onInput={(event) => setEntered(event.currentTarget.value)}
          />
        </Field>
        <div class="actions">
          <Button kind="primary" type="submit">
            {t('key.enter')}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
