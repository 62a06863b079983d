import { useEffect, useState } from 'preact/hooks';

export type Theme = 'light' | 'dark';
const KEPT = 'embedmill.theme';

/** The chosen theme, or else the system's, which is followed as it changes. */
export function useTheme(): { theme: Theme; setTheme: (theme: Theme) => void } {
  const [theme, setTheme] = useState<Theme>(firstTheme);
  useEffect(() => {
    document.documentElement.dataset['theme'] = theme;
  }, [theme]);
  useEffect(() => {
    const system = matchMedia('(prefers-color-scheme: dark)');
    const follow = () => {
      if (localStorage.getItem(KEPT) === null) setTheme(firstTheme());
    };
    system.addEventListener('change', follow);
    return () => system.removeEventListener('change', follow);
  }, []);
  return {
    theme,
    setTheme: (chosen) => {
      localStorage.setItem(KEPT, chosen);
      setTheme(chosen);
    },
  };
}

function firstTheme(): Theme {
  const kept = localStorage.getItem(KEPT);
  if (kept === 'light' || kept === 'dark') return kept;
  return matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
}
