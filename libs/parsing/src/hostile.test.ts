import { afterAll, expect, test } from 'vitest';
import { word, zipOf } from './made-files.fixture.ts';
import { Parser } from './parser.ts';

/** Malicious files: each one fails alone, with its reason, and the next file is still read. */
const parser = new Parser(new URL('./parsing.fixture.ts', import.meta.url), { seconds: 20, memoryMB: 700 });
afterAll(() => parser.close());

const parse = (bytes: Uint8Array | string, name = 'file') =>
  parser.parse({ bytes: typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes, name });

const openText = (content: string) =>
  zipOf({ mimetype: 'application/vnd.oasis.opendocument.text', 'content.xml': content });

const MIB = 1024 * 1024;
const LAUGHS = `<!DOCTYPE x [<!ENTITY a "${'ha'.repeat(50)}">${'bcdefghij'
  .split('')
  .map((name, n) => `<!ENTITY ${name} "${`&${'abcdefghij'[n]};`.repeat(10)}">`)
  .join('')}]>`;

const PAGES_IN_CIRCLES = `%PDF-1.4
1 0 obj <</Type/Catalog/Pages 2 0 R>> endobj
2 0 obj <</Type/Pages/Count 2/Kids[2 0 R 2 0 R]>> endobj
trailer <</Root 1 0 R/Size 3>>
%%EOF`;

test.each<[string, Uint8Array | string, string]>([
  ['a zip that unpacks to more than is read', openText('<a/>'.padEnd(300 * MIB)), 'parsing_limit'],
  [
    'a zip that unpacks to more than it says',
    zipOf({ mimetype: 'application/vnd.oasis.opendocument.text', 'content.xml': 'x'.repeat(MIB) }, 10),
    'document_unreadable',
  ],
  ['a zip that is cut', word('<w/>').subarray(0, 300), 'document_unreadable'],
  ['a zip of nothing that is known', zipOf({ 'a.txt': 'a' }), 'unsupported_document'],
  ['a billion laughs', openText(`${LAUGHS}<x>&j;</x>`), 'document_unreadable'],
  [
    'an external entity',
    openText('<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>'),
    'document_unreadable',
  ],
  ['XML that nests without end', openText('<a>'.repeat(100_000)), 'parsing_limit'],
  ['a page that nests without end', `<html>${'<div>'.repeat(200_000)}`, 'parsing_limit'],
  ['quotes that nest without end', `${'> '.repeat(10_000)}a`, 'parsing_limit'],
  [
    'HTML in a message that nests without end',
    `From: a@b.c\nSubject: x\nContent-Type: text/html\n\n${'<div>'.repeat(200_000)}`,
    'parsing_limit',
  ],
  ['a PDF whose pages contain themselves', PAGES_IN_CIRCLES, 'document_scanned'],
  ['a PDF that is cut', '%PDF-1.7\n1 0 obj <</Type/Cat', 'document_unreadable'],
  [
    'a picture that says to be a PDF behind',
    '\x89PNG\r\n\x1a\n\0\0\0\0%PDF-1.4 trailer',
    'document_unreadable',
  ],
])('%s', async (_, bytes, code) => {
  await expect(parse(bytes, 'x.md')).rejects.toMatchObject({ code });
  expect((await parse('# next', 'next.md')).title).toBe('next');
});

test('external entities and includes of Word are not read', async () => {
  const found = await parse(
    word(
      '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body><w:p><w:r><w:t>before &e; after</w:t></w:r></w:p></w:body></w:document>',
    ),
  ).then(
    ({ text }) => text,
    ({ code }: { code: string }) => code,
  );
  expect(found).not.toContain('root:');
});

test.each(['js', 'py', 'cpp', 'rs', 'cs'])(
  '%s that nests without end is read, or fails alone',
  async (ending) => {
    const source = `${'namespace a{([{'.repeat(100_000)}\nfunction f() {}`;
    await parse(source, `x.${ending}`).then(
      ({ text }) => expect(text.replace(/\n+/g, '\n') === source).toBe(true),
      ({ code }: { code: string }) => expect(code).toBe('parsing_limit'),
    );
    expect((await parse('def f():\n  pass\n', 'next.py')).structure.sections).toEqual([
      { start: 0, headings: ['f'] },
    ]);
  },
);
