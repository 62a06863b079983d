import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { corpusDocuments, readBeirFolder } from './beir-folder.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'embedmill-beir-'));
  await write('corpus.jsonl', [
    { _id: 'a', title: 'A title', text: 'A text.' },
    { _id: 'b', title: '', text: 'No title.' },
    { _id: 3, title: 'Only a title', text: ' ' },
    { _id: 'd', title: '', text: '' },
  ]);
  await write('queries.jsonl', [
    { _id: 'q1', text: 'one', more: true },
    { _id: 'q2', text: 'two' },
    { _id: 'q3', text: 'not judged' },
  ]);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const write = (name: string, lines: (object | string)[]) =>
  writeFile(
    join(folder, name),
    lines.map((line) => `${typeof line === 'string' ? line : JSON.stringify(line)}\n`).join(''),
  );
const read = (split = 'test') => readBeirFolder(folder, split);

test('a document without text has its title as text, or is left out if it has none', async () => {
  const documents = await Array.fromAsync(corpusDocuments(join(folder, 'corpus.jsonl')));
  expect(documents).toEqual([
    { id: 'a', text: 'A text.', title: 'A title' },
    { id: 'b', text: 'No title.' },
    { id: '3', text: 'Only a title' },
  ]);
});

test('judgments are read from a split’s table, with or without a heading', async () => {
  await mkdir(join(folder, 'qrels'));
  await write('qrels/test.tsv', ['query-id\tcorpus-id\tscore', 'q1\ta\t2', 'q1\tb\t0', 'q2\tb\t0']);
  await write('qrels/dev.tsv', ['q2\ta\t1']);
  const { questions } = await read();
  // A question without relevant documents measures nothing.
  expect(questions).toEqual([
    {
      id: 'q1',
      text: 'one',
      relevance: new Map([
        ['a', 2],
        ['b', 0],
      ]),
    },
  ]);
  expect((await read('dev')).questions.map(({ id }) => id)).toEqual(['q2']);
});

test('a single table is used whatever its split, and judgments may be JSON', async () => {
  await mkdir(join(folder, 'qrels'));
  await write('qrels/train.tsv', ['q1\ta\t1']);
  expect((await read()).questions.map(({ id }) => id)).toEqual(['q1']);
  await rm(join(folder, 'qrels'), { recursive: true });
  await write('qrels.jsonl', [{ 'query-id': 'q2', 'corpus-id': 3, score: '1' }]);
  expect((await read()).questions).toMatchObject([{ id: 'q2', relevance: new Map([['3', 1]]) }]);
});

test('an error names what is missing or cannot be read, with its line', async () => {
  await expect(read()).rejects.toThrow(/no judgments.*test\.tsv/);
  await write('qrels.tsv', ['q1\ta\t1', 'q2 a 1']);
  await expect(read()).rejects.toThrow(/qrels\.tsv, line 2/);
  await write('qrels.tsv', ['q9\ta\t1']);
  await expect(read()).rejects.toThrow(/no query/);
  await write('qrels.tsv', ['q1\ta\t1']);
  await write('queries.jsonl', [{ _id: 'q1' }]);
  await expect(read()).rejects.toThrow(/queries\.jsonl, line 1: text/);
  await rm(join(folder, 'corpus.jsonl'));
  await expect(read()).rejects.toThrow(/corpus\.jsonl/);
});
