import { Document } from '@langchain/core/documents';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createClient, type Client } from '@embedmill/client';
import { EmbedmillEmbeddings, EmbedmillVectorStore } from '@embedmill/langchain';
import { Embedmill } from './embedmill.ts';

/** LangChain's interfaces over a real embedmill with the bundled model. */
const BOOKS = [
  new Document({
    pageContent: 'A captain hunts a white whale across the oceans.',
    metadata: { year: 1851, lang: 'en' },
  }),
  new Document({
    pageContent: 'A man lives by himself in the woods beside a pond.',
    metadata: { year: 1854, lang: 'en' },
  }),
  new Document({
    pageContent: 'A travelling salesman wakes up as an insect.',
    metadata: { year: 1915, lang: 'de' },
  }),
];

let mill: Embedmill;
let client: Client;
let store: EmbedmillVectorStore;

beforeAll(async () => {
  mill = await Embedmill.up();
  client = createClient({ url: (await mill.state()).url });
  const collection = await mill.collection('langchain', { filterable: { year: 'integer', lang: 'keyword' } });
  store = await EmbedmillVectorStore.fromExistingCollection({ client, collection });
});
afterAll(() => mill?.stop());

const textsOf = (documents: readonly { pageContent: string }[]) =>
  documents.map(({ pageContent }) => pageContent);

test('added documents are found by meaning and by filters, and are gone once deleted', async () => {
  const ids = await store.addDocuments(BOOKS);
  expect(new Set(ids).size).toBe(3);
  expect(await store.addDocuments(BOOKS)).toEqual(ids);

  const [[best, score] = []] = await store.similaritySearchWithScore('hunting a sea animal', 1);
  expect(best).toMatchObject({ ...BOOKS[0], id: ids[0] });
  expect(score).toBeGreaterThan(0.2);
  const german = await store.similaritySearch('an animal', 3, { lang: 'de' });
  expect(textsOf(german)).toEqual(textsOf(BOOKS.slice(2)));
  const retriever = store.asRetriever({ k: 3, filter: { field: 'year', lt: 1900 } });
  expect(textsOf(await retriever.invoke('an animal')).toSorted()).toEqual(
    textsOf(BOOKS.slice(0, 2)).toSorted(),
  );

  await store.delete({ ids: ids.slice(0, 1) });
  await store.delete({ filter: { lang: 'de' } });
  expect(textsOf(await store.similaritySearch('an animal', 3))).toEqual(textsOf(BOOKS.slice(1, 2)));
});

test('given vectors are stored as they are', async () => {
  const embeddings = new EmbedmillEmbeddings({ client });
  const [vector = []] = await embeddings.embedDocuments(['a volcano']);
  expect(vector).toHaveLength(384);
  const document = new Document({ pageContent: 'mountain no. 7', id: 'seven' });
  expect(await store.addVectors([vector], [document])).toEqual(['seven']);
  const [[found, score] = []] = await store.similaritySearchWithScore('a volcano', 1);
  expect(found?.id).toBe('seven');
  expect(score).toBeGreaterThan(0.99);
  await store.delete({ ids: ['seven'] });
});

test('unsupported operations are refused', async () => {
  await expect(store.similaritySearchVectorWithScore()).rejects.toThrow('not by vectors');
  await expect(store.similaritySearch('x', 1, { year: { $gt: 1 } } as never)).rejects.toThrow(TypeError);
  await expect(store.addVectors([[1]], [])).rejects.toThrow(RangeError);
  await expect(store.addDocuments(BOOKS, { ids: ['a'] })).rejects.toThrow(RangeError);
  await expect(store.delete({} as never)).rejects.toThrow(TypeError);
  await expect(store.addVectors([[1, 2]], [new Document({ pageContent: 'x' })])).rejects.toThrow(
    /ended with 1 failed/,
  );
  const elsewhere = new EmbedmillVectorStore(store.embeddings, { client, collection: 'nowhere' });
  await expect(elsewhere.similaritySearch('x')).rejects.toMatchObject({ code: 'collection_not_found' });
});
