import { writeHtml } from './html.ts';
import { fault, instant, type ParsedDocument } from './parsed-document.ts';
import { inline, StructuredText } from './structured-text.ts';
import { readXml, resolved, textsIn } from './xml.ts';
import type { Zip } from './zip.ts';

/** Reads a book: its chapters in the order of its spine. */
export async function parseEpub(zip: Zip): Promise<ParsedDocument> {
  if (zip.has('META-INF/encryption.xml') && zip.has('META-INF/rights.xml'))
    throw fault('document_encrypted', 'the book is protected (DRM)');
  let packageFile = '';
  readXml(await zip.text('META-INF/container.xml'), {
    open: (name, attributes) => {
      if (name === 'rootfile' && packageFile === '') packageFile = attributes['full-path'] ?? '';
    },
  });
  const source = await zip.text(packageFile);
  if (source === '') throw fault('document_unreadable', 'the book has no package document');
  const paths = new Map<string, string>();
  const spine: string[] = [];
  readXml(source, {
    open: (name, { id = '', href, idref = '', properties = '' }) => {
      if (/(?:^|:)item$/.test(name) && href !== undefined && !/\bnav\b/.test(properties))
        paths.set(id, decodeURIComponent(resolved(href, packageFile)));
      else if (/(?:^|:)itemref$/.test(name)) spine.push(idref);
    },
  });
  const text = new StructuredText();
  // A book may name a chapter twice, or as often as it likes.
  for (const path of new Set(spine.map((id) => paths.get(id)))) {
    if (path !== undefined && zip.has(path)) writeHtml(await zip.text(path), text);
  }
  const said = textsIn(source, ['dc:title', 'dc:creator', 'dc:language', 'dc:date']);
  return {
    title: inline(said['dc:title'] ?? '') || text.firstHeading,
    ...text.finish(),
    metadata: {
      type: 'epub',
      language: said['dc:language'] || undefined,
      author: said['dc:creator'] || undefined,
      created: instant(said['dc:date']),
    },
  };
}
