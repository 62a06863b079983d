import { afterAll, beforeAll, expect, test } from 'vitest';
import { shortestFloats } from '@embedmill/jobs';
import { quantized } from '@embedmill/retrieval';
import { FAKE_LENGTH, fakeVectors, MINI, NESTED } from '../testing/fake-worker.ts';
import { startTestApi, type TestApi } from '../testing/test-api.ts';

/** Requests of Jina's and vLLM's clients to OpenAI's routes; a fake worker embeds. */
let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
  await api.answerQueries();
});
afterAll(() => api.close());

const post = (path: string, body: unknown) => api.json('POST', path, body);
const LONG = 'word '.repeat(300).trim();

function vectorOf(text: string, role: 'query' | 'document' = 'document', dims = MINI.dims): Float32Array {
  return fakeVectors({ inputs: [text], role }, dims).vectors;
}

interface Answer {
  data: { embedding: number[] | string }[];
}
const embedded = async (asked: object) => {
  const { status, body } = await post('/v1/embeddings', { model: MINI.name, input: ['a b'], ...asked });
  return { status, body, embedding: (body as Partial<Answer>).data?.[0]?.embedding };
};

test('its fields say the role, how vectors are written and whether they have length 1', async () => {
  const asDocument = shortestFloats(vectorOf('a b'));
  for (const asked of [
    {},
    { task: 'retrieval.passage', normalized: true, truncate: false, late_chunking: false },
  ])
    expect((await embedded(asked)).embedding).toEqual(asDocument);
  const asQuery = vectorOf('a b', 'query');
  expect((await embedded({ task: 'retrieval.query' })).embedding).toEqual(shortestFloats(asQuery));
  const raw = shortestFloats(vectorOf('a b').map((value) => value * FAKE_LENGTH));
  for (const asked of [{ normalized: false }, { normalize: false }])
    expect((await embedded(asked)).embedding).toEqual(raw);
  const small = { model: NESTED.name, dimensions: 2, normalized: false };
  const nested = vectorOf('a b', 'document', NESTED.dims).map((value) => value * FAKE_LENGTH);
  expect((await embedded(small)).embedding).toEqual(shortestFloats(nested.slice(0, 2)));
  expect((await embedded({ embedding_type: 'ubinary' })).embedding).toEqual(
    quantized(vectorOf('a b'), 'ubinary'),
  );
  expect((await embedded({ embedding_type: 'base64' })).embedding).toBe(
    Buffer.from(vectorOf('a b').slice().buffer).toString('base64'),
  );
});

test.each([
  [{ task: 'separation' }, 'task'],
  [{ task: 'retrieval.query', input_type: 'query' }, 'task'],
  [{ embedding_type: 'int8' }, 'embedding_type'],
  [{ embedding_type: 'float', encoding_format: 'base64' }, 'embedding_type'],
  [{ late_chunking: true }, 'late_chunking'],
])('%j is refused with its path', async (asked, param) => {
  expect(await embedded(asked)).toMatchObject({ status: 400, body: { error: { param } } });
});

test('what is too long is cut, or refused where it is not to be', async () => {
  expect((await embedded({ input: LONG })).status).toBe(200);
  expect((await embedded({ input: LONG, truncate: true })).status).toBe(200);
  expect(await embedded({ input: ['x', LONG], truncate: false })).toMatchObject({
    status: 413,
    body: { error: { message: expect.stringMatching(/^input\/1: .*256/) as string } },
  });
});
