import type { ModelView } from '../../server/shapes.ts';
import type { Locale } from '../../words/locale.tsx';

/** The languages that a model reads, the first few of them. */
export function languagesOf({ languages }: Pick<ModelView, 'languages'>, { t, format }: Locale): string[] {
  return (languages ?? [])
    .slice(0, 3)
    .map((tag) => (tag === 'mul' ? t('models.many') : format.language(tag)));
}

/** Tokens a second as calibrated, on the fastest worker; 0 where none was. */
export function measuredSpeed({ workers }: Pick<ModelView, 'workers'>): number {
  return Math.max(0, ...workers.map(({ calibration }) => calibration?.tokensPerSecond ?? 0));
}

/** What somebody who chooses a model wants to know of it. */
export function modelFacts(model: ModelView, locale: Locale): string[] {
  const { t, format } = locale;
  const speed = measuredSpeed(model);
  return [
    t('form.model', { dims: format.count(model.dims), tokens: format.count(model.maxTokens) }),
    ...(model.bytes === null ? [] : [format.bytes(model.bytes)]),
    ...languagesOf(model, locale),
    ...(speed > 0 ? [t('rate.tokens', { tokens: format.compact(speed) })] : []),
    model.license,
  ];
}
