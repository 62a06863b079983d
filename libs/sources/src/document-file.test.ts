import { expect, test } from 'vitest';
import { EmbedmillError } from '@embedmill/jobs';
import { readDocumentLine } from './document-line.ts';
import { documentFileLines, type ParseFile } from './document-file.ts';

const parse: ParseFile = async ({ bytes, name }) => {
  const text = Buffer.from(bytes).toString();
  if (text === 'secret') throw new EmbedmillError('document_encrypted', 'it has a password');
  if (text === 'later') throw new EmbedmillError('spool_unavailable', 'not now');
  return { title: `of ${name}`, text, structure: {}, metadata: { type: 'text' } };
};

async function linesOf(...pieces: string[]): Promise<string> {
  async function* bytes(): AsyncGenerator<Uint8Array> {
    for (const piece of pieces) yield Buffer.from(piece);
  }
  const lines = await Array.fromAsync(documentFileLines(bytes(), { name: 'docs/a.md', parse }));
  return Buffer.concat(lines).toString();
}

const read = (line: string) => {
  const bytes = Buffer.from(line);
  return readDocumentLine({ number: 1, offset: 0, length: bytes.length, bytes }, { filterable: {} });
};

test('a file is one document, whose id and path are its name', async () => {
  expect(read(await linesOf('# Some', ' text\n'))).toMatchObject({
    kind: 'document',
    document: {
      id: 'docs/a.md',
      title: 'of docs/a.md',
      text: '# Some text\n',
      metadata: { path: 'docs/a.md', type: 'text' },
    },
  });
});

test('a file that has documents as lines is those documents, whatever it is called', async () => {
  const lines = '{"id":"a","text":"b"}\n{"id":"c","text":"d"}\n';
  expect(await linesOf(lines)).toBe(lines);
  expect(await linesOf(lines.slice(0, 5), lines.slice(5, 40), lines.slice(40))).toBe(lines);
  expect(await linesOf('{"id":"a","text":"b"}')).toBe('{"id":"a","text":"b"}');
  expect(JSON.parse(await linesOf('{"name":"a package"}'))).toMatchObject({ id: 'docs/a.md' });
});

test('what cannot be parsed is the failure of its document, which keeps its id', async () => {
  expect(read(await linesOf('secret'))).toMatchObject({
    kind: 'invalid',
    report: { id: 'docs/a.md', code: 'document_encrypted', message: 'it has a password', retryable: false },
    key: { id: 'docs/a.md' },
  });
});

test('temporary errors are thrown, so that the job is retried', async () => {
  await expect(linesOf('later')).rejects.toMatchObject({ code: 'spool_unavailable' });
});
