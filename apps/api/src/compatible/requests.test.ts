import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { shortestFloats, type Query, type Role } from '@embedmill/jobs';
import { fakeVectors, MINI, NESTED } from '../testing/fake-worker.ts';
import { parseAlias } from '../models/model-aliases.ts';
import { startTestApi, type TestApi } from '../testing/test-api.ts';

/** Options of requests from any API's clients; a fake worker embeds. */
let api: TestApi;
const seen: Query[] = [];
beforeAll(async () => {
  const aliases = ['text-embedding-3-small=all-MiniLM-L6-v2', 'house=nested@cl100k_base', 'plain=nested'];
  api = await startTestApi({
    config: { aliases: new Map(aliases.map((one) => parseAlias(one)!)), sourceFolder: '/nowhere' },
  });
  await api.answerQueries(seen);
  await api.json('POST', '/api/v1/collections', { name: 'c', profile: { model: NESTED.name } });
});
afterAll(() => api.close());

const post = async (path: string, body: unknown) => {
  const answer = await api.json('POST', path, body);
  return {
    status: answer.status,
    body: answer.body as Record<string, unknown>,
    text: JSON.stringify(answer.body),
  };
};
const vectorOf = (input: string | number[], role: Role = 'document', dims = NESTED.dims, prefix?: string) =>
  shortestFloats(fakeVectors({ inputs: [input], role, prefix }, dims).vectors);
const embedded = (body: unknown) => (body as { data: { embedding: number[] }[] }).data[0]?.embedding;

describe('null is the same as absent', () => {
  test.each([
    [
      '/v1/embeddings',
      { model: NESTED.name, input: 'x' },
      ['encoding_format', 'dimensions', 'user', 'input_type', 'output_dtype'],
    ],
    [
      '/embed',
      { inputs: 'x' },
      ['normalize', 'truncate', 'prompt_name', 'dimensions', 'truncation_direction', 'model'],
    ],
    ['/embed_sparse', { inputs: 'x' }, ['truncate', 'prompt_name', 'model']],
    ['/rerank', { query: 'x', texts: ['x'] }, ['truncate', 'raw_scores', 'return_text', 'model']],
    [
      '/v1/rerank',
      { query: 'x', documents: ['x'] },
      ['top_n', 'rank_fields', 'return_documents', 'max_chunks_per_doc', 'model'],
    ],
    [
      '/v2/rerank',
      { query: 'x', documents: [{ text: 'x', title: null }] },
      ['top_n', 'max_tokens_per_doc', 'priority'],
    ],
    [
      '/api/v1/collections',
      { name: 'c2', profile: { model: NESTED.name, dims: null, sparse: { bm25: { averageLength: null } } } },
      ['nothing'],
    ],
    [
      '/api/v1/collections/c/search',
      { query: 'x', fusion: { method: null }, rerank: { model: null } },
      ['image', 'queries', 'mode', 'sparse', 'filter', 'tenant', 'highlight', 'limit'],
    ],
    [
      '/api/v1/collections/c/recommend',
      { positive: [{ text: 'x' }] },
      ['negative', 'strategy', 'filter', 'tenant'],
    ],
    ['/api/v1/collections/c/near-duplicates', {}, ['threshold', 'points', 'after', 'filter', 'tenant']],
    ['/api/v1/collections/c/jobs', { documents: [{ id: '1', text: 'x' }] }, ['source']],
  ])('%s %j, in %j', async (path, body, fields) => {
    const known = fields.filter((field) => field !== 'nothing');
    const answer = await post(path, { ...body, ...Object.fromEntries(known.map((field) => [field, null])) });
    expect(answer.status, answer.text).toBeLessThan(300);
  });

  test('but a field that is needed is missing, and one that there is not is refused', async () => {
    const needed = await post('/v1/embeddings', { model: NESTED.name, input: null });
    expect(needed).toMatchObject({ status: 400, body: { error: { param: 'input' } } });
    const unknown = await post('/api/v1/collections/c/search', { query: 'x', colour: null });
    expect(unknown).toMatchObject({ status: 400, body: { errors: [{ path: 'colour' }] } });
    expect((await post('/v1/embeddings', { model: NESTED.name, input: ['x', null] })).status).toBe(400);
  });

  test('parameters without a value are absent', async () => {
    const answer = await api.call('/api/v1/collections/c/points?limit=&after=&tenant=');
    expect(answer.status).toBe(200);
    expect((await api.call('/api/v1/jobs?collection=&state=&limit=')).status).toBe(200);
  });
});

describe('roles', () => {
  const QUERY = ['query', 'search_query'];
  const DOCUMENT = ['document', 'search_document', 'passage'];

  test('texts are documents unless a request says that they are queries', async () => {
    const ask = async (more: object, model: string = NESTED.name) =>
      embedded((await post('/v1/embeddings', { model, input: 'x', ...more })).body);
    expect(vectorOf('x', 'query')).not.toEqual(vectorOf('x', 'document'));
    expect(await ask({})).toEqual(vectorOf('x', 'document'));
    for (const input_type of QUERY) expect(await ask({ input_type })).toEqual(vectorOf('x', 'query'));
    for (const input_type of DOCUMENT) expect(await ask({ input_type })).toEqual(vectorOf('x', 'document'));
    expect(await ask({}, 'nested:query')).toEqual(vectorOf('x', 'query'));
    expect(await ask({}, 'nested:document')).toEqual(vectorOf('x', 'document'));
    expect(await ask({ input_type: 'search_query' }, 'plain:query')).toEqual(vectorOf('x', 'query'));
  });

  test('TEI’s routes know them by prompt_name', async () => {
    const ask = async (more: object) =>
      (await post('/embed', { inputs: 'x', model: NESTED.name, ...more })).body;
    for (const prompt_name of QUERY) expect(await ask({ prompt_name })).toEqual([vectorOf('x', 'query')]);
    for (const prompt_name of DOCUMENT) expect(await ask({ prompt_name })).toEqual([vectorOf('x')]);
    expect(await ask({ model: 'nested:query' })).toEqual([vectorOf('x', 'query')]);
  });

  const prefixed = (prefix: string) => vectorOf('x', 'query', NESTED.dims, prefix);

  test('a prompt of the model’s own stands in front in place of the role’s, and so does an instruction', async () => {
    const openai = async (more: object) =>
      embedded((await post('/v1/embeddings', { model: NESTED.name, input: 'x', ...more })).body);
    const tei = async (more: object) =>
      ((await post('/embed', { model: NESTED.name, inputs: 'x', ...more })).body as unknown as number[][])[0];
    for (const ask of [openai, tei]) {
      expect(await ask({ prompt_name: 'STS' })).toEqual(prefixed('alike: '));
      expect(await ask({ prompt_name: 'retrieval.query', input_type: 'query' })).toEqual(prefixed('find: '));
      const instructed = prefixed('Instruct: find $& whales\nQuery:');
      expect(await ask({ instruction: 'find $& whales' })).toEqual(instructed);
      expect(await ask({ instruction: 'find $& whales', input_type: 'query' })).toEqual(instructed);
    }
  });

  test('a search asks with a prompt or an instruction, too', async () => {
    const asked = async (more: object) => {
      const answer = await post('/api/v1/collections/c/search', { query: 'x', ...more });
      expect(answer.status, answer.text).toBe(200);
      return seen.at(-1);
    };
    expect(await asked({})).toEqual({ task: 'embed', model: NESTED.name, role: 'query', inputs: ['x'] });
    expect(await asked({ prompt: 'STS' })).toMatchObject({ task: 'embed', prefix: 'alike: ' });
    expect(await asked({ instruction: 'whales' })).toMatchObject({ prefix: 'Instruct: whales\nQuery:' });
  });

  const searched = '/api/v1/collections/c/search';
  const plainModel = { model: MINI.name, input: 'x' };
  test.each([
    [
      '/v1/embeddings',
      { model: NESTED.name, input: 'x', prompt_name: 'nope' },
      'passage, STS, retrieval.query',
    ],
    ['/v1/embeddings', { model: NESTED.name, input: 'x', prompt_name: 'toString' }, 'STS, retrieval.query'],
    ['/v1/embeddings', { ...plainModel, prompt_name: 'STS' }, 'it has query'],
    ['/v1/embeddings', { ...plainModel, instruction: 'find' }, 'all-MiniLM-L6-v2 takes no instructions'],
    [
      '/v1/embeddings',
      { model: NESTED.name, input: 'x', instruction: 'find', prompt_name: 'STS' },
      'leave one',
    ],
    ['/embed', { model: NESTED.name, inputs: 'x', instruction: 'find', input_type: 'document' }, 'documents'],
    ['/embed', { model: NESTED.name, inputs: 'x', instruction: '' }, 'instruction'],
    [searched, { query: 'x', prompt: 'query' }, 'it has STS, retrieval.query'],
    [searched, { query: 'x', prompt: 'STS', instruction: 'find' }, 'leave one'],
    [searched, { image: 'data:image/png;base64,AA==', instruction: 'find' }, 'images take no prefix'],
  ])('%s %j is refused, with what there is', async (path, body, words) => {
    const answer = await post(path, body);
    expect(answer.status).toBe(400);
    expect(answer.text).toContain(words);
  });

  test.each([
    ['/v1/embeddings', { model: NESTED.name, input: 'x', input_type: 'classification' }, 'input_type'],
    ['/v1/embeddings', { model: NESTED.name, input: 'x', input_type: 'toString' }, 'input_type'],
    ['/v1/embeddings', { model: 'nested:query', input: 'x', input_type: 'document' }, 'input_type'],
    ['/embed', { inputs: 'x', prompt_name: 's2p_query' }, 'prompt_name'],
    ['/embed_sparse', { inputs: 'x', prompt_name: 'nonsense' }, 'prompt_name'],
  ])('%s %j is refused, with the roles there are', async (path, body, field) => {
    const answer = await post(path, body);
    expect(answer.status).toBe(400);
    expect(answer.text).toContain(`${field}: `);
    if (!answer.text.includes('leave one of them out'))
      expect(answer.text).toContain('query, search_query, document');
  });
});

describe('what a request names', () => {
  test.each([
    [
      '/v1/embeddings',
      { model: NESTED.name, input: 'x', truncation_direction: 'Left' },
      'truncation_direction',
    ],
    ['/v1/embeddings', { model: NESTED.name, input: 'x', encoding_format: 'hex' }, 'encoding_format'],
    ['/embed', { inputs: 'x', normalize: 'no' }, 'normalize'],
    ['/embed', { inputs: 'x', truncation_direction: 'Middle' }, 'truncation_direction'],
    ['/embed', { inputs: 'x', pooling: 'cls' }, 'pooling'],
    ['/embed_sparse', { inputs: 'x', dimensions: 3 }, 'dimensions'],
    ['/rerank', { query: 'x', texts: ['x'], prompt_name: 'query' }, 'prompt_name'],
    ['/v2/rerank', { query: 'x', documents: ['x'], max_tokens_per_doc: 7 }, 'max_tokens_per_doc'],
    ['/v1/rerank', { query: 'x', documents: ['x'], rank_fields: ['title'] }, 'rank_fields'],
    ['/v2/rerank', { query: 'x', documents: ['x'], top_k: 2 }, 'top_k'],
    ['/api/v1/collections', { name: 'd', profiles: {} }, 'profiles'],
    ['/api/v1/collections/c/search', { query: 'x', fusion: { depths: 3 } }, 'fusion/depths'],
    ['/api/v1/collections/c/jobs', { documents: [{ id: 1, text: 'x' }], sync: true }, 'sync'],
  ])('and is not done is refused with its path: %s %j', async (path, body, field) => {
    const answer = await post(path, body);
    expect(answer.status, answer.text).toBe(400);
    expect(answer.text).toContain(field);
  });

  test('and is not there is refused behind an address, too', async () => {
    for (const [method, path, body] of [
      ['POST', '/api/v1/collections/c/search?tenant=other', { query: 'x' }],
      ['GET', '/api/v1/collections?limit=3', undefined],
      ['GET', '/api/v1/collections/c/points?offset=3', undefined],
    ] as const) {
      const answer = await api.json(method, path, body);
      expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
    }
  });

  test.each([
    ['/v1/embeddings', { model: NESTED.name, input: 'x', user: 'me', safety_identifier: 'y' }],
    ['/embed', { inputs: 'x', options: { wait_for_model: true } }],
    ['/v2/rerank', { query: 'x', documents: ['x'], priority: 3, max_tokens_per_doc: 4096 }],
    ['/embed', { inputs: 'x', truncation_direction: 'Right', normalize: true }],
  ])('and changes nothing is passed over: %s %j', async (path, body) => {
    expect((await post(path, body)).status).toBe(200);
  });

  test('the end of a text is what is read of it, where that is asked for', async () => {
    const keeps: unknown[] = [];
    const { queue } = api.parts;
    const query = queue.query.bind(queue);
    queue.query = ((asked, options) => {
      keeps.push('keep' in asked ? asked.keep : undefined);
      return query(asked, options);
    }) as typeof queue.query;
    try {
      for (const truncation_direction of ['Left', 'Right', undefined])
        expect((await post('/embed', { inputs: 'x', truncation_direction })).status).toBe(200);
    } finally {
      queue.query = query;
    }
    expect(keeps).toEqual(['end', 'start', 'start']);
  });
});

describe('token ids', () => {
  /** "How do I reset my password?", in OpenAI's token ids. */
  const IDS = [4438, 656, 358, 7738, 856, 3636, 30];
  const TEXT = 'How do I reset my password?';

  test('of OpenAI’s vocabulary are read back to text where the model’s name says so', async () => {
    const ask = async (model: string, input: unknown) =>
      (await post('/v1/embeddings', { model, input })).body;
    const small = vectorOf(TEXT, 'document', MINI.dims);
    expect(embedded(await ask('text-embedding-3-small', [IDS]))).toEqual(small);
    expect(embedded(await ask('text-embedding-3-small', IDS))).toEqual(small);
    expect(embedded(await ask('house:query', [IDS]))).toEqual(vectorOf(TEXT, 'query'));
  });

  test.each([['nested'], ['plain'], ['all-MiniLM-L6-v2:query']])(
    'sent to %s are refused, and it is said what to set',
    async (model) => {
      const answer = await post('/v1/embeddings', { model, input: [IDS] });
      expect(answer).toMatchObject({ status: 400, body: { error: { param: 'input' } } });
      expect(answer.text).toContain('check_embedding_ctx_length=False');
      expect(answer.text).toContain('EMBEDMILL_API_MODEL_ALIASES');
    },
  );

  test('that no vocabulary has are refused, and such as say nothing', async () => {
    for (const input of [[200_000], [[4438], [100_270]], [220, 220]])
      expect(await post('/v1/embeddings', { model: 'text-embedding-3-small', input })).toMatchObject({
        status: 400,
        body: { error: { param: 'input' } },
      });
  });

  test('aliases are among the models', async () => {
    const { data } = (await api.json('GET', '/v1/models')).body as { data: { id: string }[] };
    expect(data.map(({ id }) => id)).toEqual(expect.arrayContaining(['text-embedding-3-small', 'house']));
    expect((await api.json('GET', '/v1/models/text-embedding-3-small')).body).toMatchObject({
      id: 'text-embedding-3-small',
    });
  });
});

describe('texts that say nothing', () => {
  test.each([
    ['/v1/embeddings', (input: string) => ({ model: NESTED.name, input: ['x', input] }), 'input/1'],
    ['/embed', (input: string) => ({ inputs: ['x', input] }), 'inputs/1'],
    ['/embed_sparse', (input: string) => ({ inputs: ['x', input] }), 'inputs/1'],
    [
      '/v1/embed',
      (text: string) => ({ model: NESTED.name, texts: ['x', text], input_type: 'search_document' }),
      'texts/1',
    ],
    [
      '/v2/embed',
      (text: string) => ({
        model: NESTED.name,
        texts: ['x', text],
        input_type: 'search_document',
        embedding_types: ['float'],
      }),
      'texts/1',
    ],
    ['/api/embed', (input: string) => ({ model: NESTED.name, input: ['x', input] }), 'input/1'],
    ['/api/embeddings', (prompt: string) => ({ model: NESTED.name, prompt }), 'prompt'],
    ['/rerank', (query: string) => ({ query, texts: ['x'] }), 'query'],
    ['/rerank', (text: string) => ({ query: 'x', texts: ['x', text] }), 'texts/1'],
    ['/v2/rerank', (text: string) => ({ query: 'x', documents: ['x', text] }), 'documents/1'],
    ['/api/v1/collections/c/search', (query: string) => ({ query }), 'query'],
    [
      '/api/v1/collections/c/search',
      (query: string) => ({ queries: [{ query: 'x' }, { query }] }),
      'queries/1/query',
    ],
    [
      '/api/v1/collections/c/recommend',
      (text: string) => ({ positive: [{ text: 'x' }, { text }] }),
      'positive/1/text',
    ],
  ])('%s refuses white space, and what its model knows no token of', async (path, bodyOf, field) => {
    for (const text of [' \t\n', '🚀 🎸']) {
      const answer = await post(path, bodyOf(text));
      expect(answer.status, answer.text).toBe(400);
      expect(answer.text).toContain(`${field}: `);
    }
  });

  test('a question of unknown tokens is asked by its words, where there are any', async () => {
    const profile = { model: NESTED.name, sparse: { bm25: {} } };
    await post('/api/v1/collections', { name: 'words', profile });
    const search = (query: string) => post('/api/v1/collections/words/search', { query });
    expect((await search('🚀')).status).toBe(400);
    expect((await search('a fox')).status).toBe(200);
  });
});

test.each(['/v1/embeddings', '/embed', '/api/v1/collections/c/jobs', '/api/v1/collections/c/search'])(
  'a JSON body that is no UTF-8 is refused: %s',
  async (path) => {
    const body = Buffer.from('{"model":"nested","input":"caf\xe9"}', 'latin1');
    const answer = await api.call(path, {
      method: 'POST',
      body: new Uint8Array(body),
      headers: { 'content-type': 'application/json' },
    });
    expect(answer.status).toBe(422);
    expect(await answer.text()).toContain('not valid UTF-8');
  },
);

describe('a Content-Encoding', () => {
  const send = (path: string, body: Uint8Array, encoding: string) =>
    api.call(path, {
      method: 'POST',
      body: new Uint8Array(body),
      headers: { 'content-type': 'application/json', 'content-encoding': encoding },
    });
  const plain = Buffer.from(JSON.stringify({ model: NESTED.name, input: 'x' }));

  test.each([
    ['gzip', gzipSync],
    ['x-gzip', gzipSync],
    ['deflate', deflateSync],
    ['br', brotliCompressSync],
    ['zstd', zstdCompressSync],
    ['identity', (body: Buffer) => body],
  ])('%s is decoded', async (encoding, compress) => {
    const answer = await send('/v1/embeddings', compress(plain), encoding);
    expect(answer.status).toBe(200);
    expect(embedded(await answer.json())).toEqual(vectorOf('x'));
  });

  test('is decoded in a submission in JSON, too', async () => {
    const body = gzipSync(JSON.stringify({ documents: [{ id: '1', text: 'x' }] }));
    expect((await send('/api/v1/collections/c/jobs', body, 'gzip')).status).toBe(202);
  });

  test('that there is not is refused, and so is a body that is not so encoded', async () => {
    for (const encoding of ['compress', 'gzip, gzip', 'constructor'])
      expect((await send('/v1/embeddings', plain, encoding)).status).toBe(415);
    for (const encoding of ['gzip', 'br', 'zstd', 'deflate']) {
      const answer = await send('/v1/embeddings', plain, encoding);
      expect(answer.status).toBe(400);
      expect(await answer.text()).toContain(`not valid ${encoding}`);
    }
    const half = gzipSync(plain).subarray(0, 20);
    expect((await send('/v1/embeddings', half, 'gzip')).status).toBe(400);
  });

  test('does not make a body larger than a route takes', async () => {
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024, ' '));
    expect(bomb.length).toBeLessThan(1024 * 1024);
    for (const path of ['/v1/embeddings', '/api/v1/collections/c/jobs', '/api/v1/collections'])
      expect((await send(path, bomb, 'gzip')).status).toBe(413);
  });
});
