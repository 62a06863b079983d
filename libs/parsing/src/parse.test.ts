import { expect, test } from 'vitest';
import { parseFile } from './parse.ts';

const parsed = (source: string | Uint8Array, name = 'file') =>
  parseFile({ bytes: typeof source === 'string' ? Buffer.from(source) : source, name });

/** The text of each section of a document, by its headings. */
async function sectionsOf(source: string, name?: string): Promise<Record<string, string>> {
  const { text, structure } = await parsed(source, name);
  const { sections = [] } = structure;
  const entries = sections.map(({ start, headings }, n) => {
    const end = sections[n + 1]?.start ?? text.length;
    return [headings.join(' > '), text.slice(start, end).trimEnd()];
  });
  return Object.fromEntries(entries) as Record<string, string>;
}

test('Markdown keeps headings as paths, lists, tables as rows and code as it is', async () => {
  const source = `---
title: "The guide"
lang: en
date: 2024-03-01
---

Before all.

# Guide

## Install

Run **this** [command](https://example.com):

\`\`\`sh
npm install

npm test
\`\`\`

1. first
2. second
   - inner

## Options

| name | value |
| ---- | ----- |
| \`a\`  | one   |
| b    | two   |
`;
  const { title, metadata, text, structure } = await parsed(source, 'guide.md');
  expect({ title, metadata }).toEqual({
    title: 'The guide',
    metadata: { type: 'markdown', language: 'en', created: '2024-03-01T00:00:00.000Z' },
  });
  expect(await sectionsOf(source, 'guide.md')).toEqual({
    Guide: 'Guide',
    'Guide > Install':
      'Install\n\nRun this command:\n\nnpm install\n\nnpm test\n\n1. first\n2. second\n  - inner',
    'Guide > Options': 'Options\n\nname | value\na | one\nb | two',
  });
  expect(structure.blocks?.map(({ start, end, kind }) => [kind, text.slice(start, end)])).toEqual([
    ['code', 'npm install\n\nnpm test'],
    ['table', 'name | value\na | one\nb | two'],
  ]);
});

test('a page is what it says itself, without navigation, scripts and what is hidden', async () => {
  const page = `<!doctype html><html lang="de"><head><title>Die  Seite</title>
    <meta name="author" content="A. B."><script>let x = '<p>no</p>'</script></head>
    <body><nav><a href="/">Home</a></nav><header>Logo</header>
    <main><h1>Kopf</h1><p>Ein <b>Satz</b>.<p>Noch einer.
    <h2>Liste<a class="headerlink" href="#x">¶</a></h2><ul><li>eins<ul><li>zwei</ul><li><p>drei</ul>
    <div style="display: none">unsichtbar</div>
    <table><tr><th>Name<th>Wert<tr><td>a<td>1</table><pre>x
  y</pre></main><footer>Impressum</footer></body></html>`;
  expect(await parsed(page)).toMatchObject({
    title: 'Die Seite',
    metadata: { type: 'html', language: 'de', author: 'A. B.' },
  });
  expect(await sectionsOf(page)).toEqual({
    Kopf: 'Kopf\n\nEin Satz.\n\nNoch einer.',
    'Kopf > Liste': 'Liste\n\n- eins\n  - zwei\n- drei\n\nName | Wert\na | 1\n\nx\n  y',
  });
});

test('code has a section for each function and class, with the comments above it', async () => {
  const source = `import os

# Adds.
def add(a, b):
    return a + b


class Sum:
    def of(self, all):
        return sum(all)
`;
  expect(await parsed(source, 'sums.py')).toMatchObject({ title: 'sums.py', metadata: { type: 'code' } });
  expect(await sectionsOf(source, 'sums.py')).toEqual({
    add: '# Adds.\ndef add(a, b):\n    return a + b',
    Sum: 'class Sum:',
    'Sum > of': '    def of(self, all):\n        return sum(all)',
  });
});

test('text is read by the encoding that it has', async () => {
  for (const bytes of [
    Buffer.from('Grüße'),
    Buffer.from('\uFEFFGrüße'),
    Buffer.from('\uFEFFGrüße', 'utf16le'),
    Buffer.from('Grüße', 'latin1'),
  ])
    expect((await parsed(bytes)).text).toBe('Grüße');
  const page = Buffer.from('<html><meta charset="iso-8859-2"><p>\xbe', 'latin1');
  expect((await parsed(page)).text).toBe('ž');
});

test('form feeds end the pages of a text', async () => {
  const { text, structure } = await parsed('one\n\ftwo\n\fthree');
  expect(structure.pages?.map(({ number, start }) => [number, text.slice(start, start + 3)])).toEqual([
    [1, 'one'],
    [2, 'two'],
    [3, 'thr'],
  ]);
});

test.each([
  ['an image', '\x89PNG\r\n\x1a\n\0\0', 'unsupported_document', /PNG image/],
  ['bytes of no kind', 'a\0b', 'unsupported_document', /not text/],
  ['an old Word file', '\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0', 'unsupported_document', /before 2007/],
  ['white space', ' \n\t ', 'empty_text', /no text/],
  ['a page of tags alone', '<html><nav>menu</nav></html>', 'empty_text', /no text/],
])('%s is refused with its reason', async (_, source, code, message) => {
  await expect(parsed(Buffer.from(source, 'latin1'), 'guide.pdf')).rejects.toMatchObject({
    code,
    message: expect.stringMatching(message) as string,
  });
});
