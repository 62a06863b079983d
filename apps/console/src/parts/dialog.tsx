import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { useLocale } from '../words/locale.tsx';
import { Button } from './button.tsx';

/** A modal dialog. Escape closes it, if it may be closed. */
export function Dialog({
  title,
  onClose,
  children,
}: {
  title: string;
  onClose?: () => void;
  children: ComponentChildren;
}) {
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => element.current?.showModal(), []);
  return (
    <dialog
      ref={element}
      aria-label={title}
      onCancel={(event) => {
        event.preventDefault();
        onClose?.();
      }}
    >
      <div class="dialog-body">
        <h2>{title}</h2>
        {children}
      </div>
    </dialog>
  );
}

/** Asks to confirm something that cannot be undone. */
export function Confirm({
  title,
  what,
  action,
  onConfirm,
  onClose,
}: {
  title: string;
  what: ComponentChildren;
  action: string;
  onConfirm: () => void;
  onClose: () => void;
}) {
  const { t } = useLocale();
  return (
    <Dialog title={title} onClose={onClose}>
      <p>{what}</p>
      <div class="actions">
        <Button onClick={onClose}>{t('back')}</Button>
        <Button
          kind="danger"
          onClick={() => {
            onConfirm();
            onClose();
          }}
        >
          {action}
        </Button>
      </div>
    </Dialog>
  );
}
