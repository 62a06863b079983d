import OpenAI from 'openai';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EmbedmillError, shortestFloats, type QueryOf } from '@embedmill/jobs';
import type { Queue } from '@embedmill/queue';
import { EVERYONE, runAs } from '../access/principal.ts';
import { fakeVectors, FLAT, MINI, MODELS, NESTED } from '../testing/fake-worker.ts';
import { QueryLane } from '../queries/query-lane.ts';
import { startTestApi, type TestApi } from '../testing/test-api.ts';

let api: TestApi;
let client: OpenAI;

beforeAll(async () => {
  api = await startTestApi();
  await api.answerQueries();
  client = new OpenAI({ baseURL: `${api.url}/v1`, apiKey: 'any', maxRetries: 0 });
});
afterAll(() => api.close());

/** The fake worker's vectors for these inputs, as documents. */
function expected(inputs: QueryOf<'embed'>['inputs'], dims = MINI.dims): number[][] {
  const { vectors } = fakeVectors({ inputs, role: 'document' }, dims);
  return inputs.map((_, index) => shortestFloats(vectors.subarray(index * dims, (index + 1) * dims)));
}

test('the openai client gets the same vector in base64, its default, and as numbers', async () => {
  const input = 'a text of six tokens, near';
  const packed = await client.embeddings.create({ model: MINI.name, input });
  const plain = await client.embeddings.create({ model: MINI.name, input, encoding_format: 'float' });
  expect(plain).toEqual({
    object: 'list',
    model: MINI.name,
    data: [{ object: 'embedding', index: 0, embedding: expected([input])[0] }],
    usage: { prompt_tokens: 6, total_tokens: 6 },
  });
  expect(packed.data[0]!.embedding.length).toBe(MINI.dims);
  expect(Float32Array.from(packed.data[0]!.embedding)).toEqual(Float32Array.from(plain.data[0]!.embedding));
  expect(packed.usage).toEqual(plain.usage);
});

test('texts, one or many, keep their order', async () => {
  const create = async (input: OpenAI.EmbeddingCreateParams['input']) =>
    (await client.embeddings.create({ model: MINI.name, input, encoding_format: 'float' })).data;
  const many = Array.from({ length: 300 }, (_, n) => `text number ${n}`);
  const data = await create(many);
  expect(data.map(({ index }) => index)).toEqual(many.map((_, n) => n));
  expect(data.map(({ embedding }) => embedding)).toEqual(expected(many));
  expect((await create('one')).map(({ embedding }) => embedding)).toEqual(expected(['one']));
});

test('a model with smaller sizes gives them at length 1; others refuse', async () => {
  const input = 'nested';
  const full = await client.embeddings.create({ model: NESTED.name, input });
  const small = await client.embeddings.create({ model: NESTED.name, input, dimensions: 4 });
  const vector = small.data[0]!.embedding;
  expect(vector).toHaveLength(4);
  expect(Math.hypot(...vector)).toBeCloseTo(1, 6);
  expect(vector[0]! / vector[1]!).toBeCloseTo(full.data[0]!.embedding[0]! / full.data[0]!.embedding[1]!, 4);
  expect((await client.embeddings.create({ model: MINI.name, input, dimensions: 384 })).data).toHaveLength(1);
  for (const [model, dimensions] of [
    [MINI.name, 128],
    [NESTED.name, 3],
  ] as const) {
    await expect(client.embeddings.create({ model, input, dimensions })).rejects.toMatchObject({
      status: 400,
      param: 'dimensions',
      code: 'dimensions_not_allowed',
      type: 'invalid_request_error',
    });
  }
});

test('an input longer than the model reads is marked as truncated', async () => {
  const long = Array.from({ length: 300 }, () => 'word').join(' ');
  const { data } = await client.embeddings.create({ model: MINI.name, input: ['short', long] });
  expect(data.map((one) => (one as { truncated?: boolean }).truncated)).toEqual([undefined, true]);
});

test('an unknown model is refused as OpenAI does', async () => {
  const asked = client.embeddings.create({ model: 'text-embedding-3-small', input: 'x' });
  await expect(asked).rejects.toBeInstanceOf(OpenAI.NotFoundError);
  await expect(asked).rejects.toMatchObject({
    status: 404,
    code: 'model_not_found',
    param: 'model',
    type: 'invalid_request_error',
    message: expect.stringContaining('all-MiniLM-L6-v2'),
  });
});

test.each([
  ['', 'input'],
  [[], 'input'],
  [['fine', ''], 'input'],
  [[[1], []], 'input'],
  [['half \ud83d'], 'input'],
  [[1.5], 'input'],
  [[['a']], 'input'],
  [null, 'input'],
  [Array.from({ length: 2049 }, () => 'x'), 'input'],
])('the input %j is refused', async (input, param) => {
  const asked = client.embeddings.create({ model: MINI.name, input: input as string });
  await expect(asked).rejects.toMatchObject({ status: 400, param, type: 'invalid_request_error' });
});

test.each([
  ['/v1/embeddings', 'POST', '{"model":', 400],
  ['/v1/embeddings', 'POST', '{"model":"m","input":"x","encoding_format":"hex"}', 400],
  ['/v1/embeddings', 'POST', `{"model":"m","input":"${'x'.repeat(17 * 1024 * 1024)}"}`, 413],
  ['/v1/nothing', 'POST', '{}', 404],
])('errors at %s have OpenAI’s shape', async (path, method, body, status) => {
  const response = await api.call(path, { method, body, headers: { 'content-type': 'application/json' } });
  expect(response.status).toBe(status);
  expect(await response.json()).toEqual({
    error: {
      message: expect.stringMatching(/./),
      type: 'invalid_request_error',
      code: expect.any(String),
      param: status === 400 && body.includes('hex') ? 'encoding_format' : null,
    },
  });
});

test('models are listed for the openai client', async () => {
  const ids = (await Array.fromAsync(client.models.list())).map(({ id }) => id);
  expect(ids).toEqual([MINI.name, NESTED.name, FLAT.name]);
  expect(await client.models.retrieve(MINI.name)).toMatchObject({ id: MINI.name, object: 'model' });
  await expect(client.models.retrieve('none')).rejects.toMatchObject({ status: 404 });
});

test('vectors come in a byte or a bit a number', async () => {
  const create = async (output_dtype: string, encoding_format = 'float') => {
    const body = { model: NESTED.name, input: 'x', output_dtype, encoding_format };
    const answer = await api.json('POST', '/v1/embeddings', body);
    return (answer.body as { data: { embedding: number[] | string }[] }).data[0]!.embedding;
  };
  const whole = (await create('float')) as number[];
  const greatest = Math.max(...whole.map(Math.abs));
  const int8 = (await create('int8')) as number[];
  expect(int8).toEqual(whole.map((value) => Math.round((127 * value) / greatest)));
  expect([...Buffer.from((await create('int8', 'base64')) as string, 'base64')]).toEqual(
    int8.map((value) => value & 255),
  );
  const bits = whole.reduce((byte, value, n) => byte | (value > 0 ? 0x80 >> n : 0), 0);
  expect(await create('ubinary')).toEqual([bits]);
  expect(await create('binary')).toEqual([bits - 128]);
});

test('the lane sends bounded messages, few at a time, and refuses what would be too much', async () => {
  const sizes: number[] = [];
  let running = 0;
  let most = 0;
  const release = Promise.withResolvers<void>();
  const query = (async (asked: QueryOf<'embed'>) => {
    sizes.push(asked.inputs.length);
    most = Math.max(most, (running += 1));
    await release.promise;
    running -= 1;
    return fakeVectors(asked, 2);
  }) as Queue['query'];
  const lane = new QueryLane({ queue: { query }, models: async () => MODELS }, 1000);
  const inputs = (count: number) => Array.from({ length: count }, (_, n) => `t${n}`);
  const embed = (count: number) =>
    runAs(EVERYONE, () => lane.ask({ task: 'embed', model: 'm', inputs: inputs(count), role: 'query' }));
  const first = embed(200);
  const second = embed(7000);
  await expect(embed(1500)).rejects.toMatchObject({ code: 'overloaded', retryAfter: 1 });
  release.resolve();
  const result = await first;
  expect(result.vectors).toEqual(fakeVectors({ inputs: inputs(200), role: 'query' }, 2).vectors);
  expect(result.tokens).toHaveLength(200);
  await second;
  expect(Math.max(...sizes)).toBe(64);
  expect(most).toBeLessThanOrEqual(8);
  expect((await embed(1500)).tokens).toHaveLength(1500);
});

test('the outcomes of queries are counted by model: answered, refused, failed', async () => {
  const outcomes: Record<string, Queue['query']> = {
    alive: (async (asked: QueryOf<'embed'>) => fakeVectors(asked, 2)) as Queue['query'],
    strict: () => Promise.reject(new EmbedmillError('invalid_request', 'not so')),
    dead: () => Promise.reject(new EmbedmillError('no_worker', 'none')),
  };
  const query = ((asked: QueryOf<'embed'>, options) =>
    outcomes[asked.model]!(asked, options)) as Queue['query'];
  const ends: string[] = [];
  const lane = new QueryLane({ queue: { query }, models: async () => MODELS }, 10, (model, outcome) =>
    ends.push(`${model} ${outcome}`),
  );
  for (const model of Object.keys(outcomes))
    await runAs(EVERYONE, () => lane.ask({ task: 'embed', model, inputs: ['x'], role: 'query' })).catch(
      () => undefined,
    );
  expect(ends).toEqual(['alive answered', 'strict refused', 'dead failed']);
});

test('a failed message frees its place in the lane', async () => {
  const query = () => Promise.reject(new EmbedmillError('no_worker', 'none'));
  const lane = new QueryLane({ queue: { query }, models: async () => MODELS }, 10);
  const inputs = Array.from({ length: 8000 }, () => 'x');
  for (let n = 0; n < 3; n += 1) {
    const asked = runAs(EVERYONE, () => lane.ask({ task: 'embed', model: 'm', inputs, role: 'query' }));
    await expect(asked).rejects.toMatchObject({ code: 'no_worker' });
  }
});
