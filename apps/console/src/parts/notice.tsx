import type { ComponentChildren } from 'preact';
import type { Problem } from '../server/problem.ts';
import { useLocale } from '../words/locale.tsx';
import { Button } from './button.tsx';
import { Icon, type IconName } from './icon.tsx';

export type Tone = 'note' | 'good' | 'warn' | 'bad';

export function Notice({
  tone = 'note',
  title,
  children,
}: {
  tone?: Tone;
  title?: string;
  children?: ComponentChildren;
}) {
  const icon: IconName = tone === 'good' ? 'good' : tone === 'note' ? 'info' : 'warning';
  return (
    <div class="notice" data-tone={tone} role={tone === 'bad' ? 'alert' : 'status'}>
      <Icon name={icon} />
      <div>
        {title !== undefined && <strong>{title}</strong>}
        {children}
      </div>
    </div>
  );
}

/** A problem with its details, and a button to try again. */
export function ProblemNotice({ problem, onRetry }: { problem: Problem; onRetry?: () => void }) {
  const { t } = useLocale();
  const isGone = problem.code === 'unreachable';
  return (
    <Notice tone="bad" title={isGone ? t('problem.unreachable') : problem.title}>
      {problem.details.length === 0 ? (
        <p>{isGone ? t('problem.unreachable.what') : problem.message}</p>
      ) : (
        <ul>
          {problem.details.map(({ path, message }) => (
            <li key={path}>
              {path !== '' && <code>{path}</code>} {message}
            </li>
          ))}
        </ul>
      )}
      {onRetry !== undefined && (
        <Button size="tiny" icon="refresh" onClick={onRetry}>
          {t('again')}
        </Button>
      )}
    </Notice>
  );
}

export function Empty({
  icon,
  title,
  children,
  actions,
}: {
  icon: IconName;
  title: string;
  children?: ComponentChildren;
  actions?: ComponentChildren;
}) {
  return (
    <div class="empty">
      <Icon name={icon} />
      <strong>{title}</strong>
      {children !== undefined && <p>{children}</p>}
      {actions !== undefined && <div class="actions">{actions}</div>}
    </div>
  );
}

/** A placeholder while something is loading. */
export function Loading({ lines = 4 }: { lines?: number }) {
  const { t } = useLocale();
  return (
    <div class="loading" role="status" aria-label={t('loading')}>
      {Array.from({ length: lines }, (_, line) => (
        <span key={line} />
      ))}
    </div>
  );
}
