import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { shortestFloats } from '@embedmill/jobs';
import { quantized } from '@embedmill/retrieval';
import { fakeVectors, MINI, NESTED } from '../testing/fake-worker.ts';
import { hubIds } from '../models/model-aliases.ts';
import { startTestApi, type TestApi } from '../testing/test-api.ts';

/** The shapes of Cohere, text-embeddings-inference, vLLM, Jina, Ollama and Azure; a fake worker embeds and reranks. */
let api: TestApi;
beforeAll(async () => {
  api = await startTestApi({
    config: {
      aliases: new Map([['all-minilm', { model: MINI.name, encoding: undefined }]]),
      corsOrigins: ['https://app.example.com'],
    },
  });
  await api.answerQueries();
  // Right after the start, a busy machine's event loop is delayed, and requests are refused as overloaded.
  await vi.waitFor(async () => expect((await post('/embed', { inputs: 'x' })).status).toBe(200), {
    timeout: 20_000,
    interval: 100,
  });
});
afterAll(() => api.close());

const post = (path: string, body: unknown) => api.json('POST', path, body);
const LONG = 'word '.repeat(300).trim();

function vectorOf(text: string, role: 'query' | 'document' = 'document', dims = MINI.dims): Float32Array {
  return fakeVectors({ inputs: [text], role }, dims).vectors;
}

describe('Cohere', () => {
  test('v2 gives the types that are asked for, one list each', async () => {
    const embedding_types = ['float', 'int8', 'uint8', 'binary', 'ubinary', 'base64'];
    const { status, body } = await post('/v2/embed', {
      model: NESTED.name,
      texts: ['a b', 'c'],
      input_type: 'search_query',
      embedding_types,
    });
    expect(status).toBe(200);
    const vector = vectorOf('a b', 'query', NESTED.dims);
    const { embeddings, ...rest } = body as { embeddings: Record<string, unknown[]> };
    expect(rest).toEqual({
      id: expect.any(String) as string,
      response_type: 'embeddings_by_type',
      texts: ['a b', 'c'],
      meta: { api_version: { version: '2' }, billed_units: { input_tokens: 3 } },
    });
    const first = Object.fromEntries(Object.entries(embeddings).map(([form, list]) => [form, list[0]]));
    expect(first).toEqual({
      float: shortestFloats(vector),
      int8: quantized(vector, 'int8'),
      uint8: quantized(vector, 'int8').map((value) => value + 128),
      binary: quantized(vector, 'binary'),
      ubinary: quantized(vector, 'ubinary'),
      base64: Buffer.from(vector.slice().buffer).toString('base64'),
    });
  });

  test('v1 gives plain lists where no type is named, and needs no model', async () => {
    const { body } = await post('/v1/embed', { texts: ['a b'] });
    expect(body).toMatchObject({
      response_type: 'embeddings_floats',
      embeddings: [shortestFloats(vectorOf('a b'))],
      meta: { api_version: { version: '1' } },
    });
  });

  test('inputs of one text each are texts; images are images', async () => {
    const texts = [{ content: [{ type: 'text', text: 'a b' }] }];
    const { body } = await post('/v2/embed', { model: MINI.name, inputs: texts });
    expect(body).toMatchObject({ embeddings: { float: [shortestFloats(vectorOf('a b'))] } });
    const image = 'data:image/png;base64,AAAA';
    const asked = { model: MINI.name, input_type: 'image' };
    const plain = await post('/v2/embed', { ...asked, images: [image] });
    expect(plain.body).toMatchObject({ meta: { billed_units: { images: 1 } }, texts: [] });
    const inputs = [{ content: [{ type: 'image_url', image_url: { url: image } }] }];
    const wrapped = await post('/v2/embed', { ...asked, inputs });
    expect((wrapped.body as { embeddings: unknown }).embeddings).toEqual(
      (plain.body as { embeddings: unknown }).embeddings,
    );
  });

  test('texts that are too long are cut at either end, or refused', async () => {
    for (const truncate of ['START', 'END'])
      expect((await post('/v2/embed', { model: MINI.name, texts: [LONG], truncate })).status).toBe(200);
    const { status, body } = await post('/v2/embed', {
      model: MINI.name,
      texts: ['x', LONG],
      truncate: 'NONE',
    });
    expect(status).toBe(400);
    expect(body).toEqual({ message: expect.stringMatching(/texts\/1.*256/) as string });
  });

  test.each([
    [{ texts: [] }, 'texts'],
    [{}, 'texts'],
    [{ texts: ['x'], images: ['data:'] }, 'texts'],
    [{ texts: ['x'], input_type: 'classification' }, 'input_type'],
    [{ texts: ['x'], output_dimension: 7 }, 'output'],
    [{ texts: ['x'], max_tokens: 8 }, 'max_tokens'],
    [{ texts: ['x'], embedding_types: ['float16'] }, 'embedding_types'],
    [{ texts: ['x'], wait: true }, 'wait'],
  ])('refuses %j', async (request, path) => {
    const { status, body } = await post('/v2/embed', { model: NESTED.name, ...request });
    expect(status).toBe(400);
    expect((body as { message: string }).message).toContain(path === 'output' ? 'nested gives' : path);
  });
});

describe('reranking', () => {
  const query = 'a fox';

  test.each(['/rerank', '/v1/rerank', '/v2/rerank'])(
    '%s ranks documents, with what each client reads',
    async (path) => {
      const documents = ['the moon', { text: 'a fox', page: 3 }];
      const { body } = await post(path, {
        query,
        documents,
        model: 'judge',
        top_n: 1,
        return_documents: true,
      });
      expect(body).toMatchObject({
        object: 'rerank',
        model: 'judge',
        results: [
          {
            index: 1,
            relevance_score: expect.closeTo(0.731, 3) as number,
            document: { text: 'a fox', page: 3 },
          },
        ],
        usage: { prompt_tokens: 4, total_tokens: 4 },
      });
      const raw = await post(path, { query, documents, model: 'judge', raw_scores: true, top_n: 0 });
      expect(
        (raw.body as { results: { relevance_score: number }[] }).results.map((one) => one.relevance_score),
      ).toEqual([1, 0]);
    },
  );

  test('objects are ranked by the fields that are named, one after the other', async () => {
    const documents = [
      { title: 'the moon', body: 'x' },
      { title: 'a', body: 'fox' },
    ];
    const ranked = await post('/v1/rerank', { query: 'moon', documents, rank_fields: ['body', 'title'] });
    expect(ranked.status).toBe(200);
    const lacking = await post('/v1/rerank', { query, documents });
    expect(lacking).toMatchObject({
      status: 400,
      body: { message: expect.stringContaining('documents/0') as string },
    });
    const nested = await post('/rerank', { query, documents: [{ text: {} }] });
    expect(nested).toMatchObject({
      status: 400,
      body: { detail: expect.stringContaining('documents/0/text') as string },
    });
  });

  test('vLLM’s pairs keep their order: one query for all, or one each', async () => {
    const one = await post('/score', { model: 'judge', text_1: query, text_2: ['the moon', 'a fox'] });
    expect(one.body).toMatchObject({
      object: 'list',
      model: 'judge',
      usage: { prompt_tokens: 4, total_tokens: 4 },
      data: [
        { index: 0, object: 'score', score: 0.5 },
        { index: 1, object: 'score', score: expect.closeTo(0.731, 3) as number },
      ],
    });
    const each = await post('/v1/score', {
      model: 'judge',
      text_1: ['x', 'a fox', 'x'],
      text_2: ['x', 'y', 'y'],
    });
    expect((each.body as { data: { score: number }[] }).data.map(({ score }) => score > 0.5)).toEqual([
      true,
      false,
      false,
    ]);
    const odd = await post('/score', { text_1: ['x', 'y'], text_2: ['x', 'y', 'z'] });
    expect(odd).toMatchObject({
      status: 400,
      body: { message: expect.stringContaining('text_1') as string },
    });
  });
});

describe('text-embeddings-inference', () => {
  test('says that it is well, and what a model is', async () => {
    for (const path of ['/', '/health']) expect((await api.call(path)).status).toBe(200);
    const { body } = await api.json('GET', '/info');
    expect(body).toMatchObject({
      model_id: MINI.name,
      max_input_length: 256,
      model_type: { embedding: { pooling: 'mean' } },
      auto_truncate: false,
      max_client_batch_size: 2048,
      max_concurrent_requests: 64,
    });
    const judge = await api.json('GET', '/info?model=judge');
    expect(judge.body).toMatchObject({ model_type: { reranker: { id2label: { 0: 'LABEL_0' } } } });
  });

  test('takes token ids of the model’s own wherever it takes texts', async () => {
    const { vectors } = fakeVectors({ inputs: [[5, 6]], role: 'document' }, MINI.dims);
    for (const inputs of [[5, 6], [[5, 6]]])
      expect((await post('/embed', { inputs })).body).toEqual([shortestFloats(vectors)]);
  });

  test('/tokenize and /decode', async () => {
    const { body } = await post('/tokenize', { inputs: 'é fox', add_special_tokens: false });
    expect(body).toEqual([
      [
        { id: 1, text: 'é', special: false, start: 0, stop: 2 },
        { id: 3, text: 'fox', special: false, start: 3, stop: 6 },
      ],
    ]);
    const framed = (await post('/tokenize', { inputs: ['fox'] })).body as { special: boolean }[][];
    expect(framed[0]?.map(({ special }) => special)).toEqual([true, false, true]);
    expect((await post('/decode', { ids: [3, 4] })).body).toEqual(['word3 word4']);
    expect((await post('/decode', { ids: [[3], [4]] })).body).toEqual(['word3', 'word4']);
    expect(await post('/decode', { ids: 'x' })).toMatchObject({
      status: 400,
      body: { error_type: 'Validation' },
    });
  });

  test('/embed_all gives a vector a token; more than fits an answer is refused', async () => {
    const { body } = await post('/embed_all', { inputs: ['a b c'] });
    expect((body as number[][][]).map((one) => one.map((vector) => vector.length))).toEqual([
      [384, 384, 384],
    ]);
    const lengths = async (asked: object): Promise<number[]> => {
      const { body: found } = await post('/embed_all', { inputs: ['a'], ...asked });
      return (found as number[][][]).flat().map((vector) => Math.hypot(...vector));
    };
    expect((await lengths({}))[0]).toBeCloseTo(Math.sqrt(384) / 2, 5);
    expect(await lengths({ normalize: false })).toEqual(await lengths({}));
    expect((await lengths({ normalize: true }))[0]).toBeCloseTo(1, 5);
    const many = Array.from({ length: 200 }, () => 'x');
    expect(await post('/embed_all', { inputs: many })).toMatchObject({
      status: 400,
      body: { error_type: 'Validation' },
    });
  });

  test.each(['/similarity', '/'])('%s compares sentences', async (path) => {
    const sentences = ['a', 'b'];
    const { body } = await post(path, { inputs: { source_sentence: 'a', sentences } });
    expect(body).toEqual([expect.closeTo(1, 5), expect.any(Number)]);
    expect((body as number[])[1]).toBeLessThan(0.9);
  });

  test('/predict judges pairs where the model is a reranker', async () => {
    const asked = {
      model: 'judge',
      inputs: [
        ['a fox', 'a fox'],
        ['a fox', 'the moon'],
      ],
    };
    expect((await post('/predict', asked)).body).toEqual([
      [{ score: expect.closeTo(0.731, 3) as number, label: 'LABEL_0' }],
      [{ score: 0.5, label: 'LABEL_0' }],
    ]);
    const one = await post('/predict', { model: 'judge', inputs: ['a fox', 'a fox'], raw_scores: true });
    expect(one.body).toEqual([{ score: 1, label: 'LABEL_0' }]);
    for (const refused of [
      { inputs: 'x' },
      { inputs: 'x', model: 'judge' },
      { inputs: [['x']], model: 'judge' },
    ])
      expect(await post('/predict', refused)).toMatchObject({
        status: 400,
        body: { error_type: 'Validation' },
      });
  });
});

describe('Ollama', () => {
  test('/api/embed, by an alias with a tag', async () => {
    const { body } = await post('/api/embed', {
      model: 'all-minilm:latest',
      input: ['a b', 'c'],
      keep_alive: '5m',
    });
    expect(body).toEqual({
      model: 'all-minilm:latest',
      embeddings: [vectorOf('a b'), vectorOf('c')].map(shortestFloats),
      total_duration: expect.any(Number) as number,
      load_duration: 0,
      prompt_eval_count: 3,
    });
    expect((await post('/api/embed', { model: 'all-minilm', input: '' })).body).toMatchObject({
      embeddings: [],
    });
  });

  test('/api/embeddings', async () => {
    const { body } = await post('/api/embeddings', {
      model: 'all-minilm',
      prompt: 'a b',
      options: { temperature: 1 },
    });
    expect(body).toEqual({ embedding: shortestFloats(vectorOf('a b')) });
  });

  test.each([
    [{ input: LONG, truncate: false }, 400],
    [{ input: 'x', options: { num_ctx: 16 } }, 400],
    [{ input: 'x', dimensions: 7 }, 400],
    [{ input: 'x', stream: false }, 400],
    [{ input: 'x', model: 'llama3.2' }, 404],
  ])('refuses %j in its shape', async (request, status) => {
    expect(await post('/api/embed', { model: 'all-minilm', ...request })).toMatchObject({
      status,
      body: { error: expect.any(String) as string },
    });
  });
});

describe('addresses and names', () => {
  test('embeddings without a version, and as Azure has them, by a deployment', async () => {
    const plain = (await post('/v1/embeddings', { model: MINI.name, input: 'x' })).body;
    expect((await post('/embeddings', { model: MINI.name, input: 'x' })).body).toEqual(plain);
    const azure = '/openai/deployments/all-minilm/embeddings?api-version=2024-10-21';
    expect((await post(azure, { input: 'x', model: 'text-embedding-3-small' })).body).toEqual(plain);
    expect(await post(azure.replace('all-minilm', 'none'), { input: 'x' })).toMatchObject({
      status: 404,
      body: { error: { code: 'model_not_found' } },
    });
  });

  test('ids on the hub are names; of files of other precisions, they are of the one called so', () => {
    const repository = 'sentence-transformers/all-MiniLM-L6-v2';
    const models = [
      { ...MINI, name: 'all-MiniLM-L6-v2-fp32', repository },
      MINI,
      { ...NESTED, repository: 'maker/nest' },
    ];
    expect([...hubIds(models)]).toEqual([
      [repository, MINI.name],
      ['maker/nest', NESTED.name],
    ]);
  });
});

describe('pages of other origins', () => {
  const ask = (origin: string, method = 'POST') =>
    api.call('/v1/embeddings', {
      method,
      headers: {
        origin,
        'content-type': 'application/json',
        ...(method === 'OPTIONS'
          ? { 'access-control-request-method': 'POST' }
          : { 'sec-fetch-site': 'cross-site' }),
      },
      ...(method === 'OPTIONS' ? {} : { body: JSON.stringify({ model: MINI.name, input: 'x' }) }),
    });

  test('may ask where a setting names them', async () => {
    const origin = 'https://app.example.com';
    for (const method of ['OPTIONS', 'POST']) {
      const answer = await ask(origin, method);
      expect(answer.ok).toBe(true);
      expect(answer.headers.get('access-control-allow-origin')).toBe(origin);
    }
    const other = await ask('https://evil.example');
    expect(other.status).toBe(403);
    expect(other.headers.get('access-control-allow-origin')).toBeNull();
  });
});
