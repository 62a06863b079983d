import { Card } from '../../parts/card.tsx';
import { Progress } from '../../parts/progress.tsx';
import type { PartHealth } from '../../server/shapes.ts';
import { useLocale } from '../../words/locale.tsx';

/** From this share on, usage is shown as too high. */
const FULL = 0.85;

/** The health of what embedmill depends on. */
export function HealthCard({ health }: { health: readonly PartHealth[] }) {
  const { t } = useLocale();
  return (
    <Card title={t('health')} whole>
      {health.map((part) => (
        <Part key={part.part} part={part} />
      ))}
    </Card>
  );
}

function Part({ part: { part, ok, detail, usedBytes, totalBytes } }: { part: PartHealth }) {
  const { t, format } = useLocale();
  const share =
    usedBytes !== null && totalBytes !== null && totalBytes > 0 ? usedBytes / totalBytes : undefined;
  return (
    <div class="reason">
      <div class="reason-head">
        <div class="stack">
          <strong>{t(`part.${part}`)}</strong>
          {detail !== null && <span class="muted small break">{detail}</span>}
          {usedBytes !== null && (
            <span class="muted small">
              {totalBytes === null
                ? format.bytes(usedBytes)
                : t('part.used', { used: format.bytes(usedBytes), total: format.bytes(totalBytes) })}
            </span>
          )}
          {share !== undefined && (
            <Progress
              label={t(`part.${part}`)}
              stretches={[share > FULL ? { share, tone: 'bad' } : { share, tone: 'rest' }]}
            />
          )}
        </div>
        <span class="badge" data-tone={ok ? 'good' : 'bad'}>
          <span class="dot" />
          {ok ? t('part.ok') : t('part.wrong')}
        </span>
      </div>
    </div>
  );
}
