import { useState } from 'preact/hooks';
import { Button } from '../parts/button.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { Field } from '../parts/fields.tsx';
import { Notice, ProblemNotice } from '../parts/notice.tsx';
import { beginSignIn, issuerOf, ownAddress, type Issuer } from '../server/sign-in.ts';
import { useAction, useLoaded, useServer, useSession } from '../server/use-server.ts';
import { useLocale } from '../words/locale.tsx';

/** Asks for a key once the server has required one. */
export function KeyPrompt() {
  const { t } = useLocale();
  const { session } = useServer();
  const { wanted, key, problem } = useSession();
  const [entered, setEntered] = useState('');
  const how = useLoaded('sign-in', (client, options) =>
    client.read((api, init) => api.GET('/api/v1/sign-in', init), options),
  );
  const issuer = how.data && issuerOf(how.data);
  if (!wanted) return null;
  return (
    <Dialog title={t('key.title')}>
      {problem !== undefined && (
        <Notice tone="bad" title={t('oidc.failed')}>
          <p>{problem}</p>
        </Notice>
      )}
      {issuer !== undefined && <SignInButton issuer={issuer} />}
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

function SignInButton({ issuer }: { issuer: Issuer }) {
  const { t } = useLocale();
  const begin = useAction(async () => {
    const { hash } = location;
    const to = await beginSignIn(issuer, { page: ownAddress(), hash, storage: sessionStorage });
    location.assign(to);
  });
  return (
    <>
      {begin.problem !== undefined && <ProblemNotice problem={begin.problem} />}
      <div class="actions">
        <Button kind="primary" disabled={begin.isRunning} onClick={() => void begin.run()}>
          {t('oidc.signIn', { issuer: new URL(issuer.issuer).host })}
        </Button>
        <span class="muted small">{t('oidc.or')}</span>
      </div>
    </>
  );
}
