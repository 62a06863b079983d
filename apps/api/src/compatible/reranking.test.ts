import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { shortestFloats } from '@embedmill/jobs';
import { FAKE_LENGTH, fakeTerms, fakeVectors, MINI, NESTED } from '../testing/fake-worker.ts';
import { startTestApi, type TestApi } from '../testing/test-api.ts';

/** The shapes of text-embeddings-inference and Cohere; a fake worker embeds and reranks. */
let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
  await api.answerQueries();
});
afterAll(() => api.close());

const post = (path: string, body: unknown) => api.json('POST', path, body);
const LONG = 'word '.repeat(300).trim();

describe('TEI’s /embed', () => {
  test('gives a vector an input, of the bundled model where none is named', async () => {
    const { status, body } = await post('/embed', { inputs: ['one text', 'another'] });
    expect(status).toBe(200);
    const { vectors } = fakeVectors({ inputs: ['one text', 'another'], role: 'document' }, MINI.dims);
    const [first, second] = [vectors.slice(0, MINI.dims), vectors.slice(MINI.dims)].map(shortestFloats);
    expect(body).toEqual([first, second]);
    expect((await post('/embed', { inputs: 'one text' })).body).toEqual([first]);
    // The path for Hugging Face's clients that were given an address.
    expect((await post('/', { inputs: 'one text' })).body).toEqual([first]);
  });

  test('cuts vectors where the model was trained for it', async () => {
    const { body } = await post('/embed', { inputs: 'x', model: NESTED.name, dimensions: 2 });
    expect((body as number[][])[0]).toHaveLength(2);
  });

  test('gives vectors as the model gives them, cut without being brought to length 1', async () => {
    const normal = fakeVectors({ inputs: ['x'], role: 'document' }, NESTED.dims).vectors;
    const whole = shortestFloats(normal.map((value) => value * FAKE_LENGTH));
    const asked = { inputs: 'x', model: NESTED.name, normalize: false };
    expect((await post('/embed', asked)).body).toEqual([whole]);
    expect((await post('/', asked)).body).toEqual([whole]);
    expect((await post('/embed', { ...asked, dimensions: 2 })).body).toEqual([whole.slice(0, 2)]);
    const scaled = await post('/embed', { ...asked, normalize: true, dimensions: 2 });
    expect(Math.hypot(...((scaled.body as number[][])[0] ?? []))).toBeCloseTo(1, 6);
  });

  test('refuses inputs that are too long, unless they may be cut', async () => {
    const { status, body } = await post('/embed', { inputs: ['x', LONG] });
    expect(status).toBe(413);
    expect(body).toEqual({ error: expect.stringMatching(/inputs\/1.*256/), error_type: 'Validation' });
    expect((await post('/embed', { inputs: LONG, truncate: true })).status).toBe(200);
  });

  test.each([
    [{ inputs: '' }, 400, 'Validation'],
    [{ inputs: [] }, 400, 'Validation'],
    [{ inputs: 'x', dimensions: 7 }, 400, 'Validation'],
    [{ inputs: 'x', model: 'splade-tiny' }, 404, 'Validation'],
  ])('%j is refused in its shape', async (request, status, type) => {
    expect(await post('/embed', request)).toMatchObject({
      status,
      body: { error: expect.any(String) as string, error_type: type },
    });
  });
});

test('TEI’s /embed_sparse gives weighted terms', async () => {
  const { body } = await post('/embed_sparse', { inputs: ['a fox'] });
  const { indices, values } = fakeTerms('a fox');
  expect(body).toEqual([[...indices].map((index, n) => ({ index, value: values[n] }))]);
});

describe('reranking', () => {
  const texts = ['the moon', 'a brown fox', 'a fox'];

  test('TEI’s shape: the best first, from 0 to 1, or as they are', async () => {
    const query = 'a brown fox';
    expect((await post('/rerank', { query, texts, return_text: true })).body).toEqual([
      { index: 1, score: 1, text: 'a brown fox' },
      { index: 2, score: expect.closeTo(2 / 3, 6) as number, text: 'a fox' },
      { index: 0, score: 0, text: 'the moon' },
    ]);
    const judged = { query, texts, model: 'judge' };
    expect((await post('/rerank', judged)).body).toMatchObject([
      { index: 1, score: expect.closeTo(1 / (1 + Math.exp(-1)), 6) as number },
      { index: 2 },
      { index: 0, score: 0.5 },
    ]);
    expect((await post('/rerank', { ...judged, raw_scores: true })).body).toMatchObject([
      { index: 1, score: 1 },
      { index: 2 },
      { index: 0, score: 0 },
    ]);
  });

  test('Cohere’s shape, in both versions', async () => {
    for (const version of ['v1', 'v2']) {
      const { status, body } = await post(`/${version}/rerank`, {
        model: 'judge',
        query: 'a fox',
        top_n: 2,
        return_documents: true,
        documents: ['the moon', { text: 'a brown fox' }, 'fox'],
      });
      expect(status).toBe(200);
      expect(body).toEqual({
        id: expect.any(String) as string,
        object: 'rerank',
        model: 'judge',
        created: expect.any(Number) as number,
        usage: { prompt_tokens: 6, total_tokens: 6 },
        results: [
          {
            index: 1,
            relevance_score: expect.closeTo(0.731, 3) as number,
            document: { text: 'a brown fox' },
          },
          { index: 2, relevance_score: expect.closeTo(0.622, 3) as number, document: { text: 'fox' } },
        ],
        meta: { api_version: { version: version.slice(1) } },
      });
    }
  });

  test('many texts keep their places', async () => {
    const many = Array.from({ length: 300 }, (_, n) => (n === 217 ? 'a needle' : `hay ${n}`));
    const { body } = await post('/rerank', { query: 'needle', texts: many });
    expect(body).toHaveLength(300);
    expect((body as { index: number }[])[0]!.index).toBe(217);
  });

  test.each([
    ['/rerank', { query: 'x', texts: [] }, 400, { error_type: 'Validation' }],
    ['/rerank', { query: 'x', texts: ['y', LONG], model: 'judge' }, 413, { error_type: 'Validation' }],
    ['/rerank', { query: LONG, texts: ['y'], model: 'judge' }, 413, { error_type: 'Validation' }],
    [
      '/rerank',
      { query: LONG, texts: ['y'], truncate: false },
      413,
      { error: expect.stringMatching(/^query/) },
    ],
    [
      '/rerank',
      { query: 'x', texts: ['y'], truncation_direction: 'Left' },
      400,
      { error_type: 'Validation' },
    ],
    ['/rerank', { query: 'x', texts: ['y'], model: 'splade-tiny' }, 400, { error_type: 'Validation' }],
    ['/v2/rerank', { query: ' ', documents: ['y'] }, 400, { message: expect.any(String) as string }],
    [
      '/v2/rerank',
      { query: 'x', documents: ['y'], model: 'none' },
      404,
      { message: expect.any(String) as string },
    ],
  ])('%s refuses %j', async (path, request, status, body) => {
    expect(await post(path, request)).toMatchObject({ status, body });
  });
});
