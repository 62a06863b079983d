import type { ModelView } from '../../server/shapes.ts';
import type { Locale } from '../../words/locale.tsx';

/** The first few languages of a model. */
export function languagesOf({ languages }: Pick<ModelView, 'languages'>, { t, format }: Locale): string[] {
  return (languages ?? [])
    .slice(0, 3)
    .map((tag) => (tag === 'mul' ? t('models.many') : format.language(tag)));
}

/** Calibrated tokens per second on the fastest worker; 0 if none is calibrated. */
export function measuredSpeed({ workers }: Pick<ModelView, 'workers'>): number {
  return Math.max(0, ...workers.map(({ calibration }) => calibration?.tokensPerSecond ?? 0));
}

/** The facts that help to choose a model. */
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
