import type { Client } from '@embedmill/client';
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { useAction } from '../server/use-server.ts';
import { goTo } from '../shell/use-route.ts';
import { useLocale } from '../words/locale.tsx';
import { Button } from './button.tsx';
import { Confirm } from './dialog.tsx';
import { ProblemNotice } from './notice.tsx';

/** Deletes something after confirmation, then leaves its page. */
export function DeleteButton({
  remove: deleteIt,
  title,
  what,
  then,
}: {
  remove: (client: Client) => Promise<void>;
  title: string;
  what: ComponentChildren;
  then: Parameters<typeof goTo>;
}) {
  const { t } = useLocale();
  const [asks, setAsks] = useState(false);
  const remove = useAction(async (client) => {
    await deleteIt(client);
    goTo(...then);
  });
  return (
    <>
      <Button kind="danger" onClick={() => setAsks(true)}>
        {t('delete')}
      </Button>
      {remove.problem !== undefined && <ProblemNotice problem={remove.problem} />}
      {asks && (
        <Confirm
          title={title}
          what={what}
          action={t('delete')}
          onConfirm={() => void remove.run()}
          onClose={() => setAsks(false)}
        />
      )}
    </>
  );
}
