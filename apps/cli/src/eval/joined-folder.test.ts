import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BeirFolder, CorpusDocument } from './beir-folder.ts';
import { taskOf } from './joined-folder.ts';

let folder: string;
let beir: BeirFolder;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'embedmill-joined-'));
  const corpus = join(folder, 'corpus.jsonl');
  const lines = ['a', 'b', 'c', 'd', 'e'].map((id) =>
    JSON.stringify({ _id: id, title: '', text: `text ${id}` }),
  );
  await writeFile(corpus, lines.join('\n'));
  const relevance = new Map([
    ['a', 1],
    ['b', 3],
    ['e', 2],
  ]);
  beir = { corpus, questions: [{ id: 'q', text: 'what?', relevance }] };
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function documentsOf(documents: () => AsyncIterable<CorpusDocument>): Promise<CorpusDocument[]> {
  const all: CorpusDocument[] = [];
  for await (const document of documents()) all.push(document);
  return all;
}

test('texts are joined in order, and a joined text is as relevant as its most relevant part', async () => {
  const { documents, questions } = await taskOf(beir, 2);
  const all = await documentsOf(documents);
  expect(all.map(({ text }) => text)).toEqual(['text a text b', 'text c text d', 'text e']);
  const [{ relevance } = { relevance: new Map<string, number>() }] = questions;
  expect(all.map(({ id }) => relevance.get(id))).toEqual([3, undefined, 2]);
  // An upload that is retried reads them again.
  expect(await documentsOf(documents)).toEqual(all);
});

test('with one text per document, the folder is unchanged', async () => {
  const { documents, questions } = await taskOf(beir, 1);
  expect((await documentsOf(documents)).map(({ id }) => id)).toEqual(['a', 'b', 'c', 'd', 'e']);
  expect(questions).toBe(beir.questions);
});
