import { createContext, type ComponentChildren } from 'preact';
import { useContext, useEffect, useMemo, useState } from 'preact/hooks';
import { formatOf, type Format, type Language } from '../format.ts';
import { en } from './en.ts';
import { filled, type Word } from './words.ts';
import { zh } from './zh.ts';

const WORDS: Readonly<Record<Language, Readonly<Record<Word, string>>>> = { en, zh };
const KEPT = 'embedmill.language';

export interface Locale {
  readonly language: Language;
  readonly setLanguage: (language: Language) => void;
  /** The text for a key, with `values` in place of its placeholders. */
  readonly t: (word: Word, values?: Readonly<Record<string, string>>) => string;
  readonly format: Format;
}

const LocaleContext = createContext<Locale | undefined>(undefined);

export function useLocale(): Locale {
  const locale = useContext(LocaleContext);
  if (locale === undefined) throw new Error('useLocale needs a LocaleProvider');
  return locale;
}

/** The language that was chosen, or else the browser's. */
export function LocaleProvider({ children }: { children: ComponentChildren }) {
  const [language, setLanguage] = useState<Language>(firstLanguage);
  useEffect(() => {
    document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en';
  }, [language]);
  const locale = useMemo<Locale>(
    () => ({
      language,
      setLanguage: (chosen) => {
        localStorage.setItem(KEPT, chosen);
        setLanguage(chosen);
      },
      t: (word, values) => filled(WORDS[language][word], values),
      format: formatOf(language),
    }),
    [language],
  );
  return <LocaleContext.Provider value={locale}>{children}</LocaleContext.Provider>;
}

function firstLanguage(): Language {
  const kept = localStorage.getItem(KEPT);
  if (kept === 'en' || kept === 'zh') return kept;
  return navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en';
}
