import { useState } from 'preact/hooks';
import { Button } from '../../parts/button.tsx';
import { Shown } from '../../parts/card.tsx';
import { Field } from '../../parts/fields.tsx';
import { hrefOf } from '../../route.ts';
import { useLoaded } from '../../server/use-server.ts';
import { useLocale } from '../../words/locale.tsx';
import { compared, type ComparedHit, type Comparison, type Side } from './sides.ts';

const LIMIT = 10;

/** Sends the same query to both sides of a migration and shows their hits side by side. */
export function SidesSearch({ sides }: { sides: readonly [Side, Side] }) {
  const { t } = useLocale();
  const [query, setQuery] = useState('');
  const [asked, setAsked] = useState('');
  return (
    <>
      <form
        class="search-line side-ask"
        role="search"
        onSubmit={(event) => {
          event.preventDefault();
          setAsked(query.trim());
        }}
      >
        <Field label={t('sides.ask')} grow>
          <input
            class="input"
            type="search"
            placeholder={t('search.query.hint')}
            value={query}
            onInput={(event) => setQuery(event.currentTarget.value)}
          />
        </Field>
        <Button type="submit" icon="search">
          {t('search.go')}
        </Button>
      </form>
      {asked !== '' && <Answers sides={sides} query={asked} />}
    </>
  );
}

function Answers({ sides, query }: { sides: readonly [Side, Side]; query: string }) {
  const loaded = useLoaded(`sides ${JSON.stringify([sides, query])}`, async (client, options) => {
    const ask = async ({ collection, vector }: Side) => {
      const request = { query, limit: LIMIT, group: true };
      // Two models are compared by their dense vectors alone: words are the same on both sides.
      const dense = vector === undefined ? {} : { mode: 'dense' as const, vector };
      return (await client.search(collection, { ...request, ...dense }, options)).hits;
    };
    const [first, second] = await Promise.all([ask(sides[0]), ask(sides[1])]);
    return compared(first, second);
  });
  return (
    <Shown of={loaded} lines={6}>
      {(comparison) => <Compared sides={sides} comparison={comparison} />}
    </Shown>
  );
}

function Compared({ sides, comparison }: { sides: readonly [Side, Side]; comparison: Comparison }) {
  const { t, format } = useLocale();
  const { shared, most } = comparison;
  return (
    <>
      <p class="muted small" role="status">
        {most === 0
          ? t('search.nothing')
          : t('sides.shared', { shared: format.count(shared), most: format.count(most) })}
      </p>
      <div class="columns">
        {sides.map(({ title, collection }, n) => (
          <div key={n}>
            <h3>{title}</h3>
            <ol class="side-hits" aria-label={title}>
              {(comparison.sides[n] ?? []).map((one, rank) => (
                <SideHit key={rank} one={one} rank={rank + 1} collection={collection} />
              ))}
            </ol>
          </div>
        ))}
      </div>
    </>
  );
}

function SideHit({ one, rank, collection }: { one: ComparedHit; rank: number; collection: string }) {
  const { t, format } = useLocale();
  const {
    hit: { id, tenant, title, text, score },
    there,
  } = one;
  const place = there === undefined ? t('sides.only') : t('sides.there', { rank: format.count(there) });
  return (
    <li>
      <span class="rank number muted">{rank}</span>
      <div class="stack">
        <a class="clip" href={hrefOf('collections', [collection, 'documents', id], { tenant: tenant ?? '' })}>
          {title ?? id}
        </a>
        <span class="muted small clip">{text}</span>
      </div>
      <div class="stack number">
        <span title={t('hit.score')}>{format.fixed(score, 3)}</span>
        <span class={there === rank ? 'small muted' : 'small place'} data-only={there === undefined}>
          {place}
        </span>
      </div>
    </li>
  );
}
