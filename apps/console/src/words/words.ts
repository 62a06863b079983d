import type { en } from './en.ts';

/** The keys of the console's texts; each language has a text for each key. */
export type Word = keyof typeof en;

/** Fills values into a text such as `{count} jobs`. */
export function filled(text: string, values: Readonly<Record<string, string>> = {}): string {
  return text.replaceAll(/\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole);
}
