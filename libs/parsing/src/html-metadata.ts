import { firstInstant } from './dates.ts';
import { attribute, elementsIn, textIn, type Element, type Node } from './html-nodes.ts';
import type { FileMetadata } from './parsed-document.ts';
import { inline } from './structured-text.ts';

/** The names that pages use in `meta`, the most likely first. */
const CREATED = [
  'article:published_time',
  'datepublished',
  'dcterms.created',
  'dc.date.created',
  'dcterms.issued',
  'dc.date.issued',
  'dcterms.date',
  'dc.date',
  'date',
  'pubdate',
];
const MODIFIED = [
  'article:modified_time',
  'og:updated_time',
  'datemodified',
  'dcterms.modified',
  'dc.date.modified',
  'last-modified',
  'revised',
];
const PUBLISHED = /(?:^|\s)(?:published|dt-published|entry-date)(?:\s|$)/;
const UPDATED = /(?:^|\s)(?:updated|dt-updated)(?:\s|$)/;
/** The limits for JSON-LD, in characters and in values examined. */
const MOST_JSON = 1024 * 1024;
const MOST_VALUES = 10_000;

/** A page's metadata; `content` is the part of it that is read. */
export function pageMetadata(document: Node, content: Node): { title: string; metadata: FileMetadata } {
  const all = elementsIn(document);
  const named = new Map<string, string>();
  for (const one of all) {
    if (one.tagName !== 'meta') continue;
    const name = ['name', 'property', 'itemprop', 'http-equiv']
      .map((key) => attribute(one, key))
      .find(Boolean);
    const said = inline(attribute(one, 'content') ?? '');
    if (name !== undefined && said !== '' && !named.has(name.toLowerCase()))
      named.set(name.toLowerCase(), said);
  }
  const html = all.find(({ tagName }) => tagName === 'html');
  const titled = all.find(({ tagName }) => tagName === 'title');
  const linked = linkedData(all);
  const times = timesIn(content);
  const namedAs = (names: readonly string[]) => names.map((name) => named.get(name));
  return {
    title: titled === undefined ? '' : inline(textIn(titled)),
    metadata: {
      type: 'html',
      language: (html && (attribute(html, 'lang') ?? attribute(html, 'xml:lang'))) || undefined,
      author: named.get('author'),
      created: firstInstant([
        ...namedAs(CREATED),
        linked.get('datePublished'),
        linked.get('dateCreated'),
        ...times.published,
      ]),
      modified: firstInstant([...namedAs(MODIFIED), linked.get('dateModified'), ...times.updated]),
    },
  };
}

/** The dates of `time` elements that state their meaning, or of the only one in the content. */
function timesIn(content: Node): { published: string[]; updated: string[] } {
  const times = elementsIn(content).filter(({ tagName }) => tagName === 'time');
  const said = (one: Element): string => attribute(one, 'datetime') ?? inline(textIn(one));
  const published = times.filter((one) => isMarked(one, 'datepublished', PUBLISHED) || has(one, 'pubdate'));
  const updated = times.filter((one) => isMarked(one, 'datemodified', UPDATED));
  const [only] = times;
  if (only !== undefined && times.length === 1 && updated.length === 0) published.push(only);
  return { published: published.map(said), updated: updated.map(said) };
}

function isMarked(element: Element, property: string, className: RegExp): boolean {
  return (
    attribute(element, 'itemprop')?.toLowerCase() === property ||
    className.test(attribute(element, 'class') ?? '')
  );
}

const has = (element: Element, name: string): boolean => attribute(element, name) !== undefined;

/** The first value of each of the dates in a page's JSON-LD. */
function linkedData(all: readonly Element[]): Map<string, unknown> {
  const found = new Map<string, unknown>();
  const waiting: unknown[] = all.flatMap((one) =>
    one.tagName === 'script' && attribute(one, 'type')?.toLowerCase().trim() === 'application/ld+json'
      ? valueIn(one)
      : [],
  );
  for (let looked = 0; looked < MOST_VALUES && waiting.length > 0; looked += 1) {
    const value = waiting.shift();
    if (typeof value !== 'object' || value === null) continue;
    for (const [key, inner] of Object.entries(value)) {
      if (typeof inner === 'string' && !found.has(key)) found.set(key, inner);
      else if (typeof inner === 'object' && waiting.length < MOST_VALUES) waiting.push(inner);
    }
  }
  return found;
}

function valueIn(script: Element): unknown[] {
  const source = script.childNodes.map((one) => ('value' in one ? one.value : '')).join('');
  if (source.length > MOST_JSON) return [];
  try {
    return [JSON.parse(source)];
  } catch {
    // Pages often contain invalid JSON.
    return [];
  }
}
