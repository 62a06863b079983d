import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { parseDocument, type Document } from '@embedmill/jobs';

const file = fileURLToPath(new URL('./wordnet.ndjson', import.meta.url));
const documents = readFileSync(file, 'utf8')
  .trimEnd()
  .split('\n')
  .map((line): Document => {
    const parsed = parseDocument(JSON.parse(line), { filterable: { pos: 'keyword', frequency: 'integer' } });
    if (!parsed.ok) throw parsed.error;
    if ('tombstone' in parsed) throw new Error('it is a tombstone');
    return parsed.document;
  });

test('every line is a document, and every id stands once', () => {
  expect(new Set(documents.map(({ id }) => id)).size).toBe(documents.length);
  expect(documents.length).toBeGreaterThanOrEqual(4000);
  expect(statSync(file).size).toBeLessThan(1.5e6);
});

test.each([
  ...[
    'bank.n.01',
    'bank.n.02',
    'large.a.01',
    'king.n.01',
    'queen.n.02',
    'man.n.01',
    'woman.n.01',
    'uncle.n.01',
  ],
  ...['aunt.n.01', 'prince.n.01', 'princess.n.01', 'actor.n.01', 'actress.n.01', 'boy.n.01', 'girl.n.01'],
])('%s is among them', (id) => {
  const found = documents.find((document) => document.id === id);
  expect(found?.text).toMatch(new RegExp(`^[^:]*\\b${id.split('.')[0]}\\b[^:]*: \\S`));
});

const wordnet = '/usr/share/wordnet';
const installed = existsSync(wordnet);
test.skipIf(!installed)(
  `the generator makes the very same file again${installed ? '' : ' (skipped: the package wordnet-base is not installed)'}`,
  () => {
    const generator = fileURLToPath(new URL('./generate.ts', import.meta.url));
    const made = spawnSync(process.execPath, [generator, wordnet, '-'], { encoding: 'utf8', maxBuffer: 1e8 });
    expect(made.stderr).toBe('');
    expect(made.stdout === readFileSync(file, 'utf8')).toBe(true);
  },
);
