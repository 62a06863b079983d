import { useState } from 'preact/hooks';
import { Button } from '../../parts/button.tsx';
import { Card } from '../../parts/card.tsx';
import { Facts, type Fact } from '../../parts/facts.tsx';
import { Field } from '../../parts/fields.tsx';
import { ProblemNotice } from '../../parts/notice.tsx';
import type { CountedCollection } from '../../server/shapes.ts';
import { useAction, useLoaded } from '../../server/use-server.ts';
import { may, usePrincipal } from '../../shell/principal.tsx';
import { useLocale, type Locale } from '../../words/locale.tsx';
import { isName } from './profile-form.ts';

/** A collection's profile and its aliases. */
export function ProfileCard({
  collection,
  onChange,
}: {
  collection: CountedCollection;
  onChange: () => void;
}) {
  const locale = useLocale();
  const { t } = locale;
  return (
    <Card title={t('tab.profile')}>
      <div class="form">
        <Facts facts={profileFacts(collection, locale)} />
        <Aliases name={collection.name} onChange={onChange} />
      </div>
    </Card>
  );
}

function profileFacts(
  { profile, dims, createdAt, averageLength }: CountedCollection,
  { t, format }: Locale,
): Fact[] {
  const { model, storage, chunking, sparse, lateInteraction, filterable } = profile;
  const schemes = Object.entries(sparse).map(([scheme, options]) =>
    options !== undefined && 'language' in options ? `${scheme} (${options.language})` : scheme,
  );
  const fields = Object.entries(filterable);
  return [
    [t('model'), model],
    [t('collection.dims'), `${format.count(dims)} × ${storage}`],
    [t('collection.sparse'), schemes.length === 0 ? '–' : schemes.join(', ')],
    [t('collection.lateInteraction'), lateInteraction === undefined ? '–' : t('yes')],
    [
      t('collection.chunking'),
      chunking.mode === 'document'
        ? t('collection.whole')
        : t('collection.tokens', {
            size:
              chunking.size === undefined
                ? t('collection.limit')
                : t('models.tokens', { tokens: format.count(chunking.size) }),
            overlap: format.count(chunking.overlap),
          }),
    ],
    [
      t('collection.filterable'),
      fields.length === 0 ? (
        '–'
      ) : (
        <ul>
          {fields.map(([field, type]) => (
            <li key={field}>
              <code>{field}</code> <span class="muted small">{type}</span>
            </li>
          ))}
        </ul>
      ),
    ],
    ...(averageLength === undefined
      ? []
      : [[t('collection.averageLength'), format.decimal(averageLength, 1)] as const]),
    [t('collection.made'), format.time(createdAt)],
  ];
}

function Aliases({ name, onChange }: { name: string; onChange: () => void }) {
  const { t } = useLocale();
  const principal = usePrincipal();
  const loaded = useLoaded(`aliases of ${name}`, async (client, options) => {
    const aliases = await client.aliases.list(options);
    return aliases.filter(({ collection }) => collection === name);
  });
  const [added, setAdded] = useState('');
  const add = useAction(async (client) => {
    await client.aliases.move(added, name);
    setAdded('');
    loaded.reload();
    onChange();
  });
  const remove = useAction(async (client, alias: string) => {
    await client.aliases.remove(alias);
    loaded.reload();
  });
  const problem = add.problem ?? remove.problem ?? loaded.problem;
  const isAdmin = may(principal, 'admin');
  if (!isAdmin && (loaded.data ?? []).length === 0) return null;
  return (
    <div class="form">
      <h3>{t('collection.aliases')}</h3>
      {problem !== undefined && <ProblemNotice problem={problem} />}
      {(loaded.data ?? []).map((alias) => (
        <div class="actions" key={alias.name}>
          <code>{alias.name}</code>
          {isAdmin && (
            <Button
              size="tiny"
              kind="plain"
              icon="close"
              label={t('alias.remove', { alias: alias.name })}
              onClick={() => void remove.run(alias.name)}
            />
          )}
        </div>
      ))}
      {isAdmin && (
        <form
          class="filters"
          onSubmit={(event) => {
            event.preventDefault();
            if (isName(added)) void add.run();
          }}
        >
          <Field label={t('alias.add')} grow>
            <input class="input" value={added} onInput={(event) => setAdded(event.currentTarget.value)} />
          </Field>
          <Button type="submit" disabled={!isName(added) || add.isRunning}>
            {t('add')}
          </Button>
          <small class="muted">{t('alias.hint')}</small>
        </form>
      )}
    </div>
  );
}
