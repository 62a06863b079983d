import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { useLocale } from '../words/locale.tsx';
import { Icon, type IconName } from './icon.tsx';

interface ButtonProps {
  readonly children?: ComponentChildren;
  readonly icon?: IconName;
  readonly kind?: 'primary' | 'danger' | 'plain';
  readonly size?: 'tiny';
  /** The accessible name, if the button shows only an icon. */
  readonly label?: string;
  readonly type?: 'button' | 'submit';
  readonly disabled?: boolean;
  readonly pressed?: boolean;
  readonly onClick?: () => void;
}

export function Button({
  children,
  icon,
  kind,
  size,
  label,
  type = 'button',
  disabled,
  pressed,
  onClick,
}: ButtonProps) {
  const classes = ['button', kind, size, children === undefined ? 'icon' : undefined].filter(Boolean);
  return (
    <button
      type={type}
      class={classes.join(' ')}
      disabled={disabled}
      aria-label={label}
      title={label}
      aria-pressed={pressed}
      onClick={onClick}
    >
      {icon !== undefined && <Icon name={icon} />}
      {children}
    </button>
  );
}

/** A button that copies a text to the clipboard and confirms it. */
export function CopyButton({ text, size }: { text: string; size?: 'tiny' }) {
  const { t } = useLocale();
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 1600);
    return () => clearTimeout(timer);
  }, [copied]);
  return (
    <Button
      icon={copied ? 'good' : 'copy'}
      {...(size !== undefined && { size })}
      onClick={() => void onClipboard(text).then(setCopied)}
    >
      {copied ? t('copied') : t('copy')}
    </Button>
  );
}

export function Code({ text }: { text: string }) {
  const { t } = useLocale();
  return (
    <div class="code">
      <pre tabIndex={0} aria-label={t('code')}>
        {text}
      </pre>
      <CopyButton text={text} size="tiny" />
    </div>
  );
}

/** Whether the text was copied. Over plain HTTP from another machine, browsers offer no clipboard. */
async function onClipboard(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
