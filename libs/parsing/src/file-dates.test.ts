import { expect, test } from 'vitest';
import { pdfOf, word, wordBody, workbook, zipOf } from './made-files.fixture.ts';
import { parseFile } from './parse.ts';

/**
 * Where each kind of file states its dates, as described in docs/documents.md; dates.test.ts tests how dates are
 * parsed.
 */
const CREATED = '2024-01-31T11:00:00.000Z';
const MODIFIED = '2024-02-29T23:30:00.000Z';

const core = (created: string, modified: string): Record<string, string> => ({
  'docProps/core.xml': `<cp:coreProperties xmlns:cp="c" xmlns:dc="d" xmlns:dcterms="t" xmlns:xsi="x"><dcterms:created xsi:type="dcterms:W3CDTF">${created}</dcterms:created><dcterms:modified xsi:type="dcterms:W3CDTF">${modified}</dcterms:modified></cp:coreProperties>`,
});
const CORE = core('2024-01-31T11:00:00Z', '2024-02-29T23:30:00Z');
const SLIDE = '<p:sld><p:sp><a:p><a:r><a:t>Rivers</a:t></a:r></a:p></p:sp></p:sld>';
const slides = zipOf({
  'ppt/presentation.xml': '<p:presentation><p:sldId r:id="r1"/></p:presentation>',
  'ppt/_rels/presentation.xml.rels':
    '<Relationships><Relationship Id="r1" Target="slides/slide1.xml"/></Relationships>',
  'ppt/slides/slide1.xml': SLIDE,
  ...CORE,
});
const openDocument = (kind: string, meta: string): Buffer =>
  zipOf({
    mimetype: `application/vnd.oasis.opendocument.${kind}`,
    'content.xml': '<office:document-content><text:p>Some words.</text:p></office:document-content>',
    'meta.xml': `<office:document-meta><office:meta>${meta}</office:meta></office:document-meta>`,
  });
const OPEN_META =
  '<meta:creation-date>2024-01-31T12:00:00+01:00</meta:creation-date><dc:date>2024-02-29T23:30:00.000000000Z</dc:date>';
const book = (metadata: string): Buffer =>
  zipOf({
    mimetype: 'application/epub+zip',
    'META-INF/container.xml': '<container><rootfile full-path="book.opf"/></container>',
    'book.opf': `<package><metadata>${metadata}</metadata><manifest><item id="a" href="a.xhtml"/></manifest><spine><itemref idref="a"/></spine></package>`,
    'a.xhtml': '<html><body><p>Some words.</p></body></html>',
  });
const page = (head: string, body = '<p>Some words.</p>'): string =>
  `<!doctype html><html><head>${head}</head><body>${body}</body></html>`;
const meta = (key: string, name: string, content: string): string =>
  `<meta ${key}="${name}" content="${content}">`;
const markdown = (...fields: string[]): string => `---\n${fields.join('\n')}\n---\n\nSome words.\n`;
const message = (date: string): string => `From: a@example.org\nSubject: Boats\n${date}\n\nSome words.\n`;
const xmp = (fields: string): string =>
  `<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/">${fields}</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>`;
const XMP_DATES =
  '<xmp:CreateDate>2024-01-31T12:00:00+01:00</xmp:CreateDate><xmp:ModifyDate>2024-02-29T23:30:00Z</xmp:ModifyDate>';
const line = 'Some words about ferries.';
const linked = (value: unknown): string =>
  `<script type="application/ld+json">${JSON.stringify(value)}</script>`;

interface Dates {
  created?: string;
  modified?: string;
}
const BOTH = { created: CREATED, modified: MODIFIED };

test.each<[what: string, file: string | Buffer, name: string, wanted: Dates]>([
  [
    'PDF',
    pdfOf({ line, info: "/CreationDate (D:20240131120000+01'00') /ModDate (D:20240229233000Z)" }),
    'a',
    BOTH,
  ],
  ['PDF with XMP alone', pdfOf({ line, xmp: xmp(XMP_DATES) }), 'a', BOTH],
  [
    'PDF, whose dictionary goes before XMP',
    pdfOf({ line, info: '/CreationDate (D:20200101)', xmp: xmp(XMP_DATES) }),
    'a',
    { created: '2020-01-01T00:00:00.000Z', modified: MODIFIED },
  ],
  [
    'PDF with no date in its fields',
    pdfOf({ line, info: '/CreationDate (D:20241301) /ModDate ()' }),
    'a',
    {},
  ],
  ['DOCX', word(wordBody('<w:p><w:r><w:t>Some words.</w:t></w:r></w:p>'), CORE), 'a', BOTH],
  ['PPTX', slides, 'a', BOTH],
  ['XLSX', workbook('<row><c><v>1</v></c></row>', CORE), 'a', BOTH],
  ['XLSX with no date', workbook('<row><c><v>1</v></c></row>', core('', 'now')), 'a', {}],
  ['ODT', openDocument('text', OPEN_META), 'a', BOTH],
  ['ODP', openDocument('presentation', OPEN_META), 'a', BOTH],
  ['ODS', openDocument('spreadsheet', OPEN_META), 'a', BOTH],
  [
    'EPUB 3',
    book(
      '<dc:date>2024-01-31T11:00:00Z</dc:date><meta property="dcterms:modified">2024-02-29T23:30:00Z</meta>',
    ),
    'a',
    BOTH,
  ],
  [
    'EPUB 2',
    book(
      '<dc:date opf:event="modification">2024-02-29T23:30:00Z</dc:date><dc:date opf:event="publication">2024-01-31T11:00:00Z</dc:date>',
    ),
    'a',
    BOTH,
  ],
  [
    'HTML, article:…_time',
    page(
      meta('property', 'article:published_time', '2024-01-31T12:00:00+01:00') +
        meta('property', 'article:modified_time', '2024-02-29T23:30:00Z'),
    ),
    'a',
    BOTH,
  ],
  [
    'HTML, Dublin Core',
    page(
      meta('name', 'DC.date', '2024-01-31T11:00Z') + meta('name', 'DCTERMS.modified', '2024-02-29T23:30Z'),
    ),
    'a',
    BOTH,
  ],
  [
    'HTML, JSON-LD',
    page(
      linked({
        '@graph': [
          { '@type': 'Organization', name: 'Mill' },
          { '@type': 'Article', datePublished: '2024-01-31T11:00:00Z', dateModified: '2024-02-29T23:30:00Z' },
        ],
      }),
    ),
    'a',
    BOTH,
  ],
  [
    'HTML, JSON-LD that is broken',
    page('<script type="application/ld+json">{"datePublished": </script>'),
    'a',
    {},
  ],
  [
    'HTML, time',
    page(
      '',
      '<main><p>Some words, <time datetime="2024-01-31T11:00:00Z" itemprop="datePublished">then</time>.</p><time class="updated" datetime="2024-02-29T23:30:00Z">later</time></main>',
    ),
    'a',
    BOTH,
  ],
  [
    'HTML, its only time',
    page('', '<p>Words of <time>January 31, 2024</time>.</p>'),
    'a',
    { created: '2024-01-31T00:00:00.000Z' },
  ],
  [
    'HTML, of several times none that says what it is of',
    page('', '<p>Open from <time>2024-01-31</time> to <time>2024-02-29</time>.</p>'),
    'a',
    {},
  ],
  [
    'HTML whose first date is none',
    page(meta('name', 'date', '31/01/2024') + linked({ datePublished: '2024-01-31T11:00:00Z' })),
    'a',
    { created: CREATED },
  ],
  ['e-mail', message('Date: Wed, 31 Jan 2024 12:00:00 +0100 (CET)'), 'a', { created: CREATED }],
  ['e-mail of a zone of old', message('Date: 31 Jan 24 06:00 EST'), 'a', { created: CREATED }],
  ['e-mail of a zone that is not known', message('Date: Wed, 31 Jan 2024 12:00:00 MESZ'), 'a', {}],
  ['e-mail of a day that there is not', message('Date: Wed, 32 Jan 2024 12:00:00 +0100'), 'a', {}],
  ['Markdown', markdown('date: 2024-01-31 12:00:00 +0100', 'updated: "2024-02-29T23:30:00Z"'), 'a.md', BOTH],
  [
    'Markdown of Hugo',
    '+++\ndate = 2024-01-31T11:00:00Z\nlastmod = "2024-02-29T23:30:00Z"\n+++\n\nSome words.\n',
    'a.md',
    BOTH,
  ],
  ['Markdown with no date', markdown('date: tomorrow'), 'a.md', {}],
  ['source code', '# 2024-01-31\nx = 1\n', 'a.py', {}],
  ['plain text', 'Date 2024-01-31. Some words.', 'a.txt', {}],
])('%s', async (_, file, name, wanted) => {
  const { metadata } = await parseFile({ bytes: Buffer.from(file), name });
  const { created, modified } = metadata;
  expect({ created, modified }).toEqual({ created: wanted.created, modified: wanted.modified });
});
