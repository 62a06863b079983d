import { useEffect, useState } from 'preact/hooks';
import { Button } from '../parts/button.tsx';
import { Icon } from '../parts/icon.tsx';
import { hrefOf, type Page } from '../route.ts';
import { useServer, useSession } from '../server/use-server.ts';
import icon from '../style/icon.svg';
import { useLocale } from '../words/locale.tsx';
import { useTheme } from './theme.ts';

function Brand() {
  return (
    <a class="brand" href={hrefOf('overview')}>
      <img src={icon} alt="" />
      embedmill
    </a>
  );
}

/** The navigation and the settings. On narrow screens, a button opens it. */
export function Sidebar({ page, pages }: { page: Page; pages: readonly Page[] }) {
  const { t } = useLocale();
  const [isOpen, setIsOpen] = useState(false);
  useEffect(() => {
    const close = (event: Event) => {
      if (!(event instanceof KeyboardEvent) || event.key === 'Escape') setIsOpen(false);
    };
    addEventListener('hashchange', close);
    addEventListener('keydown', close);
    return () => {
      removeEventListener('hashchange', close);
      removeEventListener('keydown', close);
    };
  }, []);
  return (
    <>
      <div class="top">
        <Brand />
        <Button
          kind="plain"
          icon={isOpen ? 'close' : 'menu'}
          label={isOpen ? t('menu.close') : t('menu.open')}
          onClick={() => setIsOpen(!isOpen)}
        />
      </div>
      <div class="sidebar" data-open={isOpen}>
        <Brand />
        <nav class="navigation" aria-label={t('menu')}>
          {pages.map((one) => (
            <a key={one} href={hrefOf(one)} aria-current={one === page ? 'page' : undefined}>
              <Icon name={one} />
              {t(`page.${one}`)}
            </a>
          ))}
        </nav>
        <Switches />
      </div>
    </>
  );
}

function Switches() {
  const { t, language, setLanguage } = useLocale();
  const { theme, setTheme } = useTheme();
  const { session } = useServer();
  const { key } = useSession();
  return (
    <div class="sidebar-foot">
      {key !== undefined && (
        <Button kind="plain" icon="leave" onClick={() => session.leave()}>
          {t(key.startsWith('em_') ? 'key.leave' : 'oidc.leave')}
        </Button>
      )}
      <div class="switches">
        <Button
          kind="plain"
          icon={theme === 'dark' ? 'sun' : 'moon'}
          label={theme === 'dark' ? t('theme.light') : t('theme.dark')}
          onClick={() => setTheme(theme === 'dark' ? 'light' : 'dark')}
        />
        <Button kind="plain" onClick={() => setLanguage(language === 'en' ? 'zh' : 'en')}>
          <span lang={language === 'en' ? 'zh-CN' : 'en'}>{t('language.other')}</span>
        </Button>
      </div>
    </div>
  );
}
