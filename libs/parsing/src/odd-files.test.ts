import { expect, test } from 'vitest';
import { pdfOf, word, wordBody, workbook, zipOf } from './made-files.fixture.ts';
import { parseFile } from './parse.ts';

/** Real-world files that deviate from their formats. */
const parsed = (source: string | Buffer, name = 'file') => parseFile({ bytes: Buffer.from(source), name });
const textOf = async (source: string | Buffer, name?: string) => (await parsed(source, name)).text;
const faultOf = (source: string | Buffer, name?: string) =>
  parsed(source, name).then(
    () => undefined,
    (error: { code: string; message: string }) => `${error.code}: ${error.message}`,
  );
const latin = (source: string): Buffer => Buffer.from(source, 'latin1');
const run = (text: string): string => `<w:r><w:t xml:space="preserve">${text}</w:t></w:r>`;
const paragraph = (...runs: string[]): string => `<w:p>${runs.join('')}</w:p>`;

test.each([
  ['a page called .pdf', '<!doctype html><p>Hello there.', 'a.pdf', 'html'],
  ['a PDF called .txt', pdfOf({ line: 'Hello there.' }), 'a.txt', 'pdf'],
  ['a message called .txt', 'From: a@b.c\nSubject: x\n\nHello there.', 'a.txt', 'email'],
  ['a page called .md', '<html><p>Hello there.</html>', 'a.md', 'html'],
  ['Word called .zip', word(wordBody(paragraph(run('Hello there.')))), 'a.zip', 'docx'],
])('%s is what its content says', async (_, file, name, type) => {
  expect(await parsed(file, name)).toMatchObject({ text: 'Hello there.', metadata: { type } });
});

test.each(['utf16le', 'utf16be'])('a page in %s is read, with its mark and without', async (encoding) => {
  const page = '<!doctype html><html><title>Grüße</title><body><p>Grüße aus Köln.</p></html>';
  const encoded = (source: string): Buffer => {
    const bytes = Buffer.from(source, 'utf16le');
    return encoding === 'utf16le' ? bytes : bytes.swap16();
  };
  for (const source of [page, `\uFEFF${page}`])
    expect(await parsed(encoded(source), 'a.html')).toMatchObject({
      title: 'Grüße',
      text: 'Grüße aus Köln.',
      metadata: { type: 'html' },
    });
});

test('XHTML whose elements end where they begin has its text', async () => {
  const page =
    '<?xml version="1.0"?><html><head><title/><script src="x.js"/></head><body><p>Hello.</p></body></html>';
  expect(await textOf(page, 'a.xhtml')).toBe('Hello.');
});

test('what was deleted in Word is not read; what was added is, and notes stand at the end', async () => {
  const note = '<w:r><w:footnoteReference w:id="2"/></w:r>';
  const body = paragraph(
    run('The boat '),
    '<w:del w:id="1"><w:r><w:delText>never </w:delText></w:r></w:del>',
    `<w:ins w:id="2">${run('always ')}</w:ins>`,
    run('leaves.'),
    note,
  );
  const footnotes = `<w:footnotes xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:footnote w:id="2">${paragraph(run('In summer.'))}</w:footnote></w:footnotes>`;
  const relations =
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="n" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/footnotes" Target="footnotes.xml"/></Relationships>';
  const file = word(wordBody(body), {
    'word/footnotes.xml': footnotes,
    'word/_rels/document.xml.rels': relations,
  });
  expect(await textOf(file)).toBe('The boat always leaves.[1]\n\n1. In summer.');
});

test('what was deleted in OpenDocument is not read, and a note does not part its paragraph', async () => {
  const content = `<office:document-content><office:text>
    <text:tracked-changes><text:deletion><text:h text:outline-level="1">Gone</text:h><text:p>gone</text:p></text:deletion></text:tracked-changes>
    <text:p>The boat<text:note><text:note-citation>1</text:note-citation><text:note-body><text:p>In summer.</text:p></text:note-body></text:note> leaves.<office:annotation><text:p>Really?</text:p></office:annotation> Always.</text:p>
    </office:text></office:document-content>`;
  const file = zipOf({ mimetype: 'application/vnd.oasis.opendocument.text', 'content.xml': content });
  expect(await textOf(file)).toBe('The boat leaves. Always.\n\nIn summer.');
});

const STYLES =
  '<styleSheet><numFmts><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd hh:mm"/><numFmt numFmtId="165" formatCode="[Red]0.0 &quot;days&quot;"/><numFmt numFmtId="166" formatCode="[h]:mm"/></numFmts><cellStyleXfs><xf numFmtId="14"/></cellStyleXfs><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="164"/><xf numFmtId="165"/><xf numFmtId="20"/><xf numFmtId="166"/></cellXfs></styleSheet>';

test('dates in a workbook are dates, and no other numbers are', async () => {
  const cell = (value: string | number, style = 0): string => `<c s="${style}"><v>${value}</v></c>`;
  const rows = [
    [cell(45_322, 1), cell(45_322.5, 2), cell(45_322, 0), cell(45_322, 3), cell(0.75, 4), cell(1.5, 5)],
    [cell(1, 1), cell(59, 1), cell(61, 1), cell(-1, 1), cell('x', 1)],
  ].map((cells) => `<row>${cells.join('')}</row>`);
  const text = await textOf(workbook(rows.join(''), { 'xl/styles.xml': STYLES }));
  expect(text.split('\n').slice(2)).toEqual([
    '2024-01-31 | 2024-01-31 12:00 | 45322 | 45322 | 18:00 | 1.5',
    '1900-01-01 | 1900-02-28 | 1900-03-01 | -1 | x',
  ]);
  const old = {
    'xl/styles.xml': STYLES,
    'xl/workbook.xml':
      '<workbook xmlns:r="r"><workbookPr date1904="1"/><sheets><sheet name="Trips" r:id="r1"/></sheets></workbook>',
  };
  expect(await textOf(workbook(`<row>${cell(43_860, 1)}</row>`, old))).toContain('2024-01-31');
});

test('cells stay in their columns where empty ones are left out, and truth values are words', async () => {
  const rows =
    '<row><c r="A1" t="inlineStr"><is><t>Ferry</t></is></c><c r="D1"><v>3</v></c></row><row><c r="D2" t="b"><v>1</v></c></row>';
  expect(await textOf(workbook(rows))).toBe('Trips\n\nFerry |  |  | 3\n |  |  | TRUE');
});

test('a workbook whose elements have a prefix is read', async () => {
  const prefixed = {
    'xl/workbook.xml':
      '<x:workbook xmlns:x="m" xmlns:r="r"><x:sheets><x:sheet name="Trips" r:id="r1"/></x:sheets></x:workbook>',
    'xl/worksheets/sheet1.xml':
      '<x:worksheet xmlns:x="m"><x:sheetData><x:row><x:c><x:v>7</x:v></x:c></x:row></x:sheetData></x:worksheet>',
  };
  expect(await textOf(workbook('', prefixed))).toBe('Trips\n\n7');
});

test('cells of OpenDocument stay in their columns, too', async () => {
  const cell = (text: string, repeated = 1): string =>
    `<table:table-cell table:number-columns-repeated="${repeated}"><text:p>${text}</text:p></table:table-cell>`;
  const content = `<office:document-content><table:table table:name="Trips"><table:table-row>${cell('Ferry')}${cell('', 2)}<table:covered-table-cell/>${cell('3')}${cell('', 16_000)}</table:table-row></table:table></office:document-content>`;
  const file = zipOf({ mimetype: 'application/vnd.oasis.opendocument.spreadsheet', 'content.xml': content });
  expect(await textOf(file)).toBe('Trips\n\nFerry |  |  |  | 3');
});

const book = (opf: string): Buffer =>
  zipOf({
    mimetype: 'application/epub+zip',
    'OPS/book.opf': opf,
    'OPS/one%.xhtml': '<html><head><title/></head><body><h1>One</h1><p>First.</p></body></html>',
    'OPS/two.xhtml': '<html><body><h1>Two</h1><p>Second.</p></body></html>',
  });

test.each([
  ['no order', '<spine/>'],
  ['an order of what is not there', '<spine toc="x"><itemref idref="gone"/></spine>'],
  ['its order', '<spine><itemref idref="a"/><itemref idref="a"/><itemref idref="b"/></spine>'],
])('a book with %s has its chapters', async (_, spine) => {
  const manifest =
    '<manifest><item id="ncx" href="toc.ncx"/><item id="a" href="one%.xhtml"/><item id="b" href="two.xhtml"/></manifest>';
  const { text } = await parsed(book(`<package><metadata/>${manifest}${spine}</package>`));
  expect(text).toBe('One\n\nFirst.\n\nTwo\n\nSecond.');
});

test('a message in a message is read with it; attachments are named', async () => {
  const inner = 'From: c@d.e\nSubject: Inner\nContent-Type: text/plain\n\nWords within.';
  const source = [
    'From: a@b.c',
    'Subject: Outer',
    'MIME-Version: 1.0',
    'Content-Type: multipart/mixed; boundary="b"',
    '',
    '--b',
    'Content-Type: text/plain',
    '',
    'Words around.',
    '--b',
    'Content-Type: message/rfc822',
    '',
    inner,
    '--b',
    'Content-Type: application/pdf',
    'Content-Disposition: attachment; filename="fares.pdf"',
    '',
    'x',
    '--b--',
  ].join('\r\n');
  const { title, text } = await parsed(source, 'a.eml');
  expect(title).toBe('Outer');
  expect(text).toMatch(/Words around\.[^]*Inner[^]*Words within\.[^]*Attachment: fares\.pdf/);
});

test('text before a message is skipped; several messages in one file are refused', async () => {
  const message = 'From: a@b.c\nSubject: Boats\nDate: Wed, 31 Jan 2024 12:00:00 +0000\n\nHello there.\n';
  for (const before of ['\uFEFF', '\n\n', 'From a@b.c Wed Jan 31 12:00:00 2024\n'])
    expect(await parsed(before + message)).toMatchObject({
      title: 'Boats',
      text: 'Hello there.',
      metadata: { from: 'a@b.c' },
    });
  const line = 'From a@b.c Wed Jan 31 12:00:00 2024\n';
  expect(await faultOf(`${line}${message}\n${line}${message}`)).toMatch(/^unsupported_document.*\.eml/);
});

test('a notebook is its text and its code, without what the code printed', async () => {
  const notebook = {
    cells: [
      { cell_type: 'markdown', source: ['# Rivers\n', '\n', 'All *cold*.'] },
      { cell_type: 'code', source: 'print(1)', outputs: [{ text: ['1\n'], data: { 'image/png': 'iVBOR' } }] },
      { cell_type: 'raw', source: 'As it is.' },
    ],
    nbformat: 4,
  };
  const { title, text, structure, metadata } = await parsed(JSON.stringify(notebook), 'rivers.ipynb');
  expect({ title, text, metadata }).toMatchObject({
    title: 'Rivers',
    text: 'Rivers\n\nAll cold.\n\nprint(1)\n\nAs it is.',
    metadata: { type: 'notebook' },
  });
  expect(structure.blocks).toEqual([{ start: 19, end: 27, kind: 'code' }]);
  const old = { worksheets: [{ cells: [{ cell_type: 'code', input: ['x = 1'] }] }], nbformat: 3 };
  expect(await textOf(JSON.stringify(old), 'old.ipynb')).toBe('x = 1');
  expect(await faultOf('{"cells": [', 'cut.ipynb')).toMatch(/^document_unreadable/);
  expect(await faultOf('{"cells": 1}', 'odd.ipynb')).toMatch(/^document_unreadable/);
});

test('front matter in TOML is read as YAML is', async () => {
  const source = '+++\ntitle = "The guide" # ours\nlanguage = \'en\'\n+++\n\nSome words.\n';
  expect(await parsed(source, 'a.md')).toMatchObject({
    title: 'The guide',
    text: 'Some words.',
    metadata: { language: 'en' },
  });
});

test.each([
  ['nothing', '', 'empty_text'],
  ['a mark and nothing else', '\uFEFF', 'empty_text'],
  ['front matter and nothing else', '---\ntitle: x\n---\n', 'empty_text'],
  [
    'a message of Outlook',
    Buffer.concat([latin('\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1'), Buffer.from('__substg1.0_', 'utf16le')]),
    '.eml',
  ],
  ['Word of old', latin('\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0'), 'save it as DOCX'],
  ['RTF', '{\\rtf1 words}', 'save it as DOCX'],
  ['a binary workbook', zipOf({ 'xl/workbook.bin': 'x' }), 'save it as XLSX'],
  ['Pages', zipOf({ 'Index/Document.iwa': 'x' }), 'export it as DOCX'],
  ['a zip of files', zipOf({ 'a.txt': 'x' }), 'unpack it'],
  [
    'OpenDocument with a password',
    zipOf({
      mimetype: 'application/vnd.oasis.opendocument.text',
      'META-INF/manifest.xml': '<manifest:manifest><manifest:encryption-data/></manifest:manifest>',
      'content.xml': 'garbage',
    }),
    'document_encrypted',
  ],
  ['Word that breaks off', word(wordBody(paragraph(run('x')))).subarray(0, 200), 'document_unreadable'],
  ['PDF that breaks off', pdfOf({ line: 'Hello there.' }).subarray(0, 60), 'document_unreadable'],
])('%s is refused, and says what to do', async (_, source, says) => {
  expect(await faultOf(source, 'a.md')).toContain(says);
});
