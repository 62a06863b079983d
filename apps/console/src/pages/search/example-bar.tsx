import { Button } from '../../parts/button.tsx';
import { useLocale } from '../../words/locale.tsx';
import type { Asked, Example } from './asked.ts';

/** The positive and negative examples of a search by example. */
export function ExampleBar({
  asked,
  onChange,
}: {
  asked: Asked;
  onChange: (change: Partial<Asked>) => void;
}) {
  const { t } = useLocale();
  const { positive, negative, image } = asked;
  if (positive.length + negative.length === 0 && image === undefined) return null;
  const without = (kind: 'positive' | 'negative', n: number) =>
    onChange({ [kind]: asked[kind].filter((_, at) => at !== n) });
  return (
    <div class="examples">
      {image !== undefined && (
        <span class="chip">
          <img src={image} alt={t('search.picture')} />
          <Button
            size="tiny"
            kind="plain"
            icon="close"
            label={t('example.remove')}
            onClick={() => onChange({ image: undefined })}
          />
        </span>
      )}
      {(['positive', 'negative'] as const).flatMap((kind) =>
        asked[kind].map((example, n) => (
          <span class="chip" data-kind={kind} key={`${kind} ${n}`}>
            <span class="clip">
              {t(`example.${kind}`)} <b>{textOf(example)}</b>
            </span>
            <Button
              size="tiny"
              kind="plain"
              icon="close"
              label={t('example.remove')}
              onClick={() => without(kind, n)}
            />
          </span>
        )),
      )}
      {positive.length === 0 && negative.length > 0 && (
        <span class="muted small">{t('example.needsLike')}</span>
      )}
    </div>
  );
}

const textOf = (example: Example): string => ('id' in example ? example.id : example.text);
