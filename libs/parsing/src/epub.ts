import { firstInstant } from './dates.ts';
import { withEndTags } from './html-nodes.ts';
import { writeHtml } from './html.ts';
import { fault, type ParsedDocument } from './parsed-document.ts';
import { inline, StructuredText } from './structured-text.ts';
import { readXml, resolved, textsIn } from './xml.ts';
import type { Zip } from './zip.ts';

/** Reads a book: its chapters in the order of its spine. */
export async function parseEpub(zip: Zip): Promise<ParsedDocument> {
  if (zip.has('META-INF/encryption.xml') && zip.has('META-INF/rights.xml'))
    throw fault('document_encrypted', 'the book is protected (DRM)');
  let packageFile = '';
  const container = await zip.text('META-INF/container.xml');
  readXml(container === '' ? '<none/>' : container, {
    open: (name, attributes) => {
      if (name === 'rootfile' && packageFile === '') packageFile = attributes['full-path'] ?? '';
    },
  });
  if (!zip.has(packageFile)) packageFile = zip.names.find((name) => name.endsWith('.opf')) ?? '';
  const source = await zip.text(packageFile);
  if (source === '') throw fault('document_unreadable', 'the book has no package document');
  const paths = new Map<string, string>();
  const spine: string[] = [];
  readXml(source, {
    open: (name, { id = '', href, idref = '', properties = '' }) => {
      if (/(?:^|:)item$/.test(name) && href !== undefined && !/\bnav\b/.test(properties))
        paths.set(id, decoded(resolved(href, packageFile)));
      else if (/(?:^|:)itemref$/.test(name)) spine.push(idref);
    },
  });
  const dates = datesIn(source);
  const text = new StructuredText();
  const chapters = spine.map((id) => paths.get(id)).filter((path) => path !== undefined && zip.has(path));
  const pages = [...paths.values()].filter((path) => /\.x?html?$/i.test(path) && zip.has(path));
  // A book may list a chapter any number of times. A book without a spine is read in the order of its manifest.
  for (const path of new Set(chapters.length > 0 ? chapters : pages)) {
    if (path !== undefined) writeHtml(withEndTags(await zip.text(path)), text);
  }
  const said = textsIn(source, ['dc:title', 'dc:creator', 'dc:language']);
  return {
    title: inline(said['dc:title'] ?? '') || text.firstHeading,
    ...text.finish(),
    metadata: {
      type: 'epub',
      language: said['dc:language'] || undefined,
      author: said['dc:creator'] || undefined,
      created: firstInstant(dates.created),
      modified: firstInstant(dates.modified),
    },
  };
}

/** Decodes a path to that in the zip; invalid escapes stay unchanged. */
function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

/** The dates in a package document: `dc:date`, with or without an event, and properties of `dcterms`. */
function datesIn(source: string): { created: string[]; modified: string[] } {
  const dates: { created: string[]; modified: string[] } = { created: [], modified: [] };
  let list: string[] | undefined;
  let said = '';
  readXml(source, {
    open: (name, attributes) => {
      said = '';
      list = undefined;
      if (name === 'dc:date')
        list = attributes['opf:event'] === 'modification' ? dates.modified : dates.created;
      if (attributes['property'] === 'dcterms:created') list = dates.created;
      if (attributes['property'] === 'dcterms:modified') list = dates.modified;
    },
    close: () => {
      list?.push(said);
      list = undefined;
    },
    text: (some) => {
      said += some;
    },
  });
  return dates;
}
