import type { Hit, TermShare } from '../../server/shapes.ts';
import { Button } from '../../parts/button.tsx';
import { hrefOf } from '../../route.ts';
import { ChunkPlace } from '../collections/chunk-place.tsx';
import { useLocale } from '../../words/locale.tsx';
import { metadataText } from '../collections/metadata-text.ts';
import { piecesOf } from './marked-text.ts';

const TERMS = 6;

/** A hit, and why it matches. */
export function HitCard({
  hit,
  rank,
  collection,
  onLike,
  onUnlike,
}: {
  hit: Hit;
  rank: number;
  collection: string;
  onLike: () => void;
  onUnlike: () => void;
}) {
  const { t, format } = useLocale();
  const {
    id,
    tenant,
    title,
    text,
    score,
    metadata,
    chunk,
    highlights = [],
    scores = {},
    shares,
    explanation = [],
  } = hit;
  const href = hrefOf('collections', [collection, 'documents', id], { tenant: tenant ?? '' });
  return (
    <li class="hit">
      <div class="hit-head">
        <span class="rank number muted">{rank}</span>
        <a class="clip" href={href}>
          {title ?? id}
        </a>
        <span class="number" title={t('hit.score')}>
          {format.fixed(score, 3)}
        </span>
      </div>
      <ChunkPlace headings={chunk.headings} pages={chunk.pages} />
      <p class="hit-text break">
        {piecesOf(text, highlights, chunk.start).map(({ text: piece, marked }, n) =>
          marked ? <mark key={n}>{piece}</mark> : piece,
        )}
      </p>
      <Metadata metadata={metadata} />
      {(Object.keys(scores).length > 1 || shares !== undefined) && <Lists scores={scores} shares={shares} />}
      {explanation.length > 0 && <Terms shares={explanation} />}
      <div class="actions">
        <Button size="tiny" kind="plain" icon="like" onClick={onLike}>
          {t('search.like')}
        </Button>
        <Button size="tiny" kind="plain" icon="unlike" onClick={onUnlike}>
          {t('search.unlike')}
        </Button>
        {chunk.count > 1 && (
          <span class="muted small">
            {t('document.chunk', { index: format.count(chunk.index + 1), count: format.count(chunk.count) })}
          </span>
        )}
      </div>
    </li>
  );
}

function Metadata({ metadata }: { metadata: Hit['metadata'] }) {
  const entries = Object.entries(metadata);
  if (entries.length === 0) return null;
  return (
    <p class="metadata small muted">
      {entries.map(([name, value]) => (
        <span key={name} class="clip">
          {name} <b>{metadataText(value)}</b>
        </span>
      ))}
    </p>
  );
}

/** Each list's score and its share of the hit's score; a list that did not find the hit also contributes. */
function Lists({ scores, shares }: { scores: Readonly<Record<string, number>>; shares: Hit['shares'] }) {
  const { t, format } = useLocale();
  if (shares === undefined) {
    return (
      <p class="metadata small" aria-label={t('hit.lists')}>
        {Object.entries(scores).map(([list, score]) => (
          <span key={list} class="badge">
            {list} {format.fixed(score, 3)}
          </span>
        ))}
      </p>
    );
  }
  return (
    <ul class="shares" aria-label={t('hit.lists')}>
      {Object.entries(shares).map(([list, share]) => (
        <li key={list}>
          <span class="clip">
            <b>{list}</b>{' '}
            <span class="muted">
              {scores[list] === undefined ? t('hit.unfound') : format.fixed(scores[list], 3)}
            </span>
          </span>
          <meter min={0} max={1} value={share} aria-label={list} />
          <span class="number muted">{format.percent(share)}</span>
        </li>
      ))}
    </ul>
  );
}

/** The matching terms, each with its share of its scheme’s score. */
function Terms({ shares }: { shares: readonly TermShare[] }) {
  const { t, format } = useLocale();
  return (
    <ul class="shares" aria-label={t('hit.terms')}>
      {shares
        .toSorted((a, b) => b.share - a.share)
        .slice(0, TERMS)
        .map(({ scheme, term, share }) => (
          <li key={`${scheme} ${term}`}>
            <span class="clip">
              {term} <span class="muted">{scheme}</span>
            </span>
            <meter min={0} max={1} value={share} aria-label={term} />
            <span class="number muted">{format.percent(share)}</span>
          </li>
        ))}
    </ul>
  );
}
