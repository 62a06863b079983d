import type { ParsedDocument } from './parsed-document.ts';
import { StructuredText } from './structured-text.ts';

/** Reads a text unchanged; form feeds separate its pages. */
export function parseText(source: string): ParsedDocument {
  const text = new StructuredText();
  const pages = source.split('\f');
  for (const [n, page] of pages.entries()) {
    if (pages.length > 1) text.page(n + 1);
    text.lines(page);
  }
  return { title: undefined, ...text.finish(), metadata: { type: 'text' } };
}
