import { useLocale } from '../../words/locale.tsx';

/** The place of a chunk in its document: its headings and pages. */
export function ChunkPlace({
  headings = [],
  pages = [],
}: {
  headings?: readonly string[] | undefined;
  pages?: readonly number[] | undefined;
}) {
  const { t } = useLocale();
  if (headings.length === 0 && pages.length === 0) return null;
  const [first, last] = [pages[0], pages.at(-1)];
  const range = first === last ? `${first}` : `${first}–${last}`;
  return (
    <p class="muted small break">
      {headings.join(' › ')}
      {headings.length > 0 && pages.length > 0 && ' · '}
      {pages.length > 0 && t('chunk.page', { pages: range })}
    </p>
  );
}
