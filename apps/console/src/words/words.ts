import type { en } from './en.ts';

/** What the console says: each language has a text for each. */
export type Word = keyof typeof en;

/** A text with its values: `{count} jobs`. */
export function filled(text: string, values: Readonly<Record<string, string>> = {}): string {
  return text.replaceAll(/\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole);
}
