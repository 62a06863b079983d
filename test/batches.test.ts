import { createHash } from 'node:crypto';
import OpenAI, { toFile } from 'openai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Shard, ShardResult, TenantId } from '@embedmill/jobs';
import { testKeys } from '../apps/api/src/access/test-keys.ts';
import { NESTED } from '../apps/api/src/testing/fake-worker.ts';
import { sweepClientRecords } from '../apps/api/src/batches/batch-retention.ts';
import { startMill, type Mill } from './living/mill.ts';

/** OpenAI's files and batches, by its own client, over the real API, queue, dispatcher, spool and walk. */
const MODEL = NESTED.name;
const DAY_MS = 24 * 3600 * 1000;
type Keys = Awaited<ReturnType<typeof testKeys>>;

let mill: Mill;
let keys: Keys;
let acme: OpenAI;
let other: OpenAI;

beforeAll(async () => {
  keys = await testKeys();
  const scopes: ('submit' | 'search')[] = ['submit', 'search'];
  const keyOf = async (tenant: string) =>
    (await keys.add({ name: tenant, scopes, tenant: tenant as TenantId })).key;
  const [own, others] = [await keyOf('acme'), await keyOf('other')];
  mill = await startMill({ config: { access: keys.access } });
  const clientOf = (apiKey: string) => new OpenAI({ baseURL: `${mill.url}/v1`, apiKey, maxRetries: 0 });
  acme = clientOf(own);
  other = clientOf(others);
});
afterAll(async () => {
  await mill?.close();
  await keys?.remove();
});

interface Line {
  id: string;
  custom_id: string;
  response: {
    status_code: number;
    body: {
      data?: { index: number; embedding: number[] | string }[];
      usage?: { total_tokens: number };
      error?: { code: string; message: string; param: string | null };
    };
  } | null;
  error: { code: string } | null;
}

const request = (custom_id: string, body: object) => ({
  custom_id,
  method: 'POST',
  url: '/v1/embeddings',
  body: { model: MODEL, ...body },
});
const jsonl = (lines: readonly unknown[]): string =>
  lines.map((line) => `${typeof line === 'string' ? line : JSON.stringify(line)}\n`).join('');

async function begun(lines: readonly unknown[], client = acme, options: object = {}) {
  const file = await client.files.create({
    file: await toFile(Buffer.from(jsonl(lines)), 'requests.jsonl'),
    purpose: 'batch',
  });
  return client.batches.create({
    input_file_id: file.id,
    endpoint: '/v1/embeddings',
    completion_window: '24h',
    ...options,
  });
}

type Batch = Awaited<ReturnType<typeof begun>>;

async function ended({ id }: Pick<Batch, 'id'>, client = acme): Promise<Batch> {
  const over = ['completed', 'failed', 'cancelled', 'expired'];
  let last = await client.batches.retrieve(id);
  await expect
    .poll(async () => over.includes((last = await client.batches.retrieve(id)).status), { timeout: 60_000 })
    .toBe(true);
  return last;
}

async function linesOf(id: string | null | undefined, client = acme): Promise<Line[]> {
  if (id === null || id === undefined) return [];
  const text = await (await client.files.content(id)).text();
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Line);
}

async function vectorOf(text: string): Promise<number[]> {
  const document = { id: 'x', text, metadata: {} };
  const [point] = await mill.pointsOf(document, { mode: 'document' });
  return (point?.dense ?? []).map(Math.fround);
}

/** The numbers of an embedding, which may be in base64. */
function numbersOf(embedding: number[] | string | undefined): number[] {
  if (typeof embedding !== 'string') return (embedding ?? []).map(Math.fround);
  const bytes = Uint8Array.from(Buffer.from(embedding, 'base64')).buffer;
  return Array.from(new Float32Array(bytes));
}

test('a batch with every shape of input is answered, and its errors are in the error file', async () => {
  const batch = await begun(
    [
      request('one', { input: 'a whale' }),
      request('many', { input: ['a ship', 'a bank', 'a whale'] }),
      request('packed', { input: 'a whale', encoding_format: 'base64', user: 'someone' }),
      request('small', { input: 'a whale', dimensions: 4 }),
      request('ids', { input: [1, 2, 3] }),
      request('wrong size', { input: 'a whale', dimensions: 5 }),
      request('empty', { input: ' ' }),
      request('nothing', {}),
      request('strange', { input: 'a whale', colour: 'red' }),
    ],
    acme,
    { metadata: { shelf: 'seven' } },
  );
  expect(batch).toMatchObject({ object: 'batch', endpoint: '/v1/embeddings', metadata: { shelf: 'seven' } });
  const done = await ended(batch);
  expect(done).toMatchObject({ status: 'completed', request_counts: { total: 9, completed: 4, failed: 5 } });
  expect(done.completed_at).toBeGreaterThanOrEqual(done.created_at);
  const answers = new Map((await linesOf(done.output_file_id)).map((line) => [line.custom_id, line]));
  expect([...answers.keys()]).toEqual(['one', 'many', 'packed', 'small']);
  const whale = await vectorOf('a whale');
  const dataOf = (id: string) => answers.get(id)?.response?.body.data ?? [];
  expect(numbersOf(dataOf('one')[0]?.embedding)).toEqual(whale);
  expect(dataOf('many').map(({ index }) => index)).toEqual([0, 1, 2]);
  expect(numbersOf(dataOf('many')[1]?.embedding)).toEqual(await vectorOf('a bank'));
  expect(typeof dataOf('packed')[0]?.embedding).toBe('string');
  expect(numbersOf(dataOf('packed')[0]?.embedding)).toEqual(whale);
  expect(numbersOf(dataOf('small')[0]?.embedding)).toHaveLength(4);
  expect(answers.get('one')).toMatchObject({
    error: null,
    response: { status_code: 200, body: { object: 'list', model: MODEL, usage: { total_tokens: 4 } } },
  });
  const errors = await linesOf(done.error_file_id);
  expect(errors.map(({ custom_id }) => custom_id)).toEqual([
    'ids',
    'wrong size',
    'empty',
    'nothing',
    'strange',
  ]);
  expect(errors.map(({ response }) => response?.status_code)).toEqual([400, 400, 400, 400, 400]);
  expect(errors.map(({ response }) => response?.body.error?.param)).toEqual([
    ...['input', 'dimensions', 'input', 'input', 'colour'],
  ]);
});

describe('a file that is not a batch fails validation, which says where', () => {
  const good = request('a', { input: 'x' });
  test.each<[string, unknown[], { code: string; line: number; param?: string }[]]>([
    ['a custom_id twice', [good, good], [{ code: 'duplicate_custom_id', line: 1, param: 'custom_id' }]],
    [
      'invalid JSON',
      [good, 'no json', '{"custom_id":'],
      [
        { code: 'invalid_json_line', line: 2 },
        { code: 'invalid_json_line', line: 3 },
      ],
    ],
    [
      'a different URL',
      [good, { ...request('b', {}), url: '/v1/responses' }],
      [{ code: 'invalid_url', line: 2, param: 'url' }],
    ],
    ['a different method', [{ ...good, method: 'GET' }], [{ code: 'invalid_method', line: 1 }]],
    [
      'two models',
      [good, request('b', { model: 'all-MiniLM-L6-v2', input: 'x' })],
      [{ code: 'mismatched_model', line: 2 }],
    ],
    [
      'no custom_id',
      [{ ...good, custom_id: undefined }],
      [{ code: 'missing_required_parameter', line: 1, param: 'custom_id' }],
    ],
    ['an empty file', [''], [{ code: 'empty_file', line: 1 }]],
  ])('%s', async (_, lines, faults) => {
    const done = await ended(await begun(lines));
    expect(done).toMatchObject({ status: 'failed', output_file_id: null, error_file_id: null });
    expect(done.failed_at).not.toBe(null);
    expect(done.errors?.data).toMatchObject(faults);
  });
});

describe('however often shards are delivered', () => {
  const many = Array.from({ length: 700 }, (_, n) =>
    request(`r${n}`, n % 50 === 7 ? { input: [] } : { input: `word${n} of ${n % 13}` }),
  );
  const wrong = many.flatMap(({ custom_id }, n) => (n % 50 === 7 ? custom_id : []));

  async function expectEachOnce(done: Batch): Promise<string> {
    expect(done).toMatchObject({
      status: 'completed',
      request_counts: { total: many.length, completed: many.length - wrong.length, failed: wrong.length },
    });
    const output = await linesOf(done.output_file_id);
    const all = many.map(({ custom_id }) => custom_id);
    expect(output.map(({ custom_id }) => custom_id)).toEqual(all.filter((id) => !wrong.includes(id)));
    expect((await linesOf(done.error_file_id)).map(({ custom_id }) => custom_id)).toEqual(wrong);
    // All but the ids, which are the batch's own.
    return createHash('sha256')
      .update(JSON.stringify(output.map(({ response }) => response?.body)))
      .digest('hex');
  }

  test('each request is answered once, in the file’s order, with the same bytes', async () => {
    const hashes = new Set([await expectEachOnce(await ended(await begun(many)))]);
    const walks: ((shard: Shard, walk: () => Promise<ShardResult>) => Promise<ShardResult>)[] = [
      async (_shard, walk) => (await Promise.all([walk(), walk()]))[0],
      cutOffOnce(),
    ];
    for (const walkBy of walks) {
      mill.walkBy((shard, walk) => walkBy(shard, () => walk()));
      hashes.add(await expectEachOnce(await ended(await begun(many))));
    }
    mill.walkBy((_shard, walk) => walk());
    expect(hashes.size).toBe(1);
  });

  function cutOffOnce() {
    const cut = new Set<number>();
    return async ({ index }: Shard, walk: () => Promise<ShardResult>) => {
      const result = await walk();
      if (cut.has(index)) return result;
      cut.add(index);
      throw new Error('the worker ended');
    };
  }

  test('also if the dispatcher dies during the batch', async () => {
    const { promise: first, resolve: seen } = Promise.withResolvers<void>();
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    mill.walkBy(async ({ index }, walk) => {
      if (index === 0) seen();
      else await held;
      return walk();
    });
    const batch = await begun(many);
    await first;
    expect((await acme.batches.retrieve(batch.id)).status).toBe('in_progress');
    await mill.killDispatcher();
    release();
    mill.walkBy((_shard, walk) => walk());
    await expectEachOnce(await ended(batch));
  });

  test.each(['cancelled', 'expired'] as const)(
    'one that is %s has the finished answers and reports the unanswered requests',
    async (how) => {
      const { promise: first, resolve: seen } = Promise.withResolvers<void>();
      const { promise: held, resolve: release } = Promise.withResolvers<void>();
      // What a worker has started runs to its end; what waits behind it does not.
      mill.walkBy(async ({ index }, walk) => {
        if (index === 1) seen();
        if (index > 0) await held;
        return walk();
      });
      const lines = Array.from({ length: 4000 }, (_, n) => request(`r${n}`, { input: `word${n % 100}` }));
      const batch = await begun(lines);
      await first;
      if (how === 'cancelled') expect((await acme.batches.cancel(batch.id)).status).toBe('cancelling');
      else {
        const { spool, queue } = mill.parts;
        const kept = (await spool.batches.read(batch.id)) as object;
        await spool.batches.keep(batch.id, { ...kept, expiresAt: Date.now() });
        const log = { info: () => {}, warn: () => {} };
        await sweepClientRecords({ queue, spool, log }, DAY_MS, Date.now() + 1);
      }
      release();
      const done = await ended(batch);
      mill.walkBy((_shard, walk) => walk());
      expect(done.status).toBe(how);
      const [output, errors] = [await linesOf(done.output_file_id), await linesOf(done.error_file_id)];
      const ids = [...output, ...errors].map(({ custom_id }) => custom_id);
      expect(ids.toSorted()).toEqual(lines.map(({ custom_id }) => custom_id).toSorted());
      expect(output.length).toBeGreaterThan(0);
      expect(new Set(errors.map(({ error }) => error?.code))).toEqual(new Set([`batch_${how}`]));
    },
  );
});

test('the same Idempotency-Key creates one batch, and is refused for a different one', async () => {
  const content = Buffer.from(jsonl([request('once', { input: 'a whale' })]));
  const { id } = await acme.files.create({ file: await toFile(content, 'requests.jsonl'), purpose: 'batch' });
  const asked = {
    input_file_id: id,
    endpoint: '/v1/embeddings' as const,
    completion_window: '24h' as const,
    metadata: { shelf: 'one' },
  };
  const keyed = { headers: { 'idempotency-key': 'a batch' } };
  const [first, second] = await Promise.all([
    acme.batches.create(asked, keyed),
    acme.batches.create(asked, keyed),
  ]);
  const done = await ended(first);
  expect([second.id, (await acme.batches.create(asked, keyed)).id]).toEqual([first.id, first.id]);
  expect(await acme.batches.create(asked, keyed)).toEqual(done);
  expect((await linesOf(done.output_file_id)).map(({ custom_id }) => custom_id)).toEqual(['once']);
  const otherwise = acme.batches.create({ ...asked, metadata: { shelf: 'two' } }, keyed);
  await expect(otherwise).rejects.toBeInstanceOf(OpenAI.ConflictError);
  const unkeyed = await acme.batches.create(asked);
  expect(unkeyed.id).not.toBe(first.id);
  await ended(unkeyed);
  expect(await acme.batches.retrieve(first.id)).toMatchObject({ metadata: { shelf: 'one' } });
});

test('files: pages, content in ranges, deletion, expiry, and what is refused', async () => {
  const own: string[] = [];
  for (let n = 0; n < 3; n += 1) {
    const file = await toFile(Buffer.from(`{"n":${n}}\n`), `few ${n}.jsonl`);
    const expires_after = { anchor: 'created_at', seconds: 3600 } as const;
    const { id, ...rest } = await other.files.create({
      file,
      purpose: 'batch',
      ...(n === 0 && { expires_after }),
    });
    expect(rest).toMatchObject({
      object: 'file',
      bytes: 8,
      filename: `few ${n}.jsonl`,
      purpose: 'batch',
      status: 'processed',
    });
    expect((rest.expires_at ?? 0) - rest.created_at).toBe(n === 0 ? 3600 : 30 * 24 * 3600);
    own.push(id);
  }
  const listed: string[] = [];
  for await (const { id } of other.files.list({ limit: 2, order: 'asc' })) listed.push(id);
  expect(listed.toSorted()).toEqual(own.toSorted());
  const [first = '', second = ''] = own;
  const part = await other.files.content(first, { headers: { range: 'bytes=1-3' } });
  expect([part.status, await part.text()]).toEqual([206, '"n"']);
  // As the Python client does it.
  const named = { headers: { 'content-type': 'application/json' } };
  expect(await other.files.delete(second, named)).toEqual({ id: second, object: 'file', deleted: true });
  await expect(other.files.retrieve(second)).rejects.toBeInstanceOf(OpenAI.NotFoundError);
  const { spool, queue } = mill.parts;
  const log = { info: () => {}, warn: () => {} };
  await sweepClientRecords({ queue, spool, log }, 30 * DAY_MS, Date.now() + 2 * 3600 * 1000);
  await expect(other.files.content(first)).rejects.toBeInstanceOf(OpenAI.NotFoundError);
  const file = await toFile(Buffer.from('x'), 'x.jsonl');
  const refused = other.files.create({ file, purpose: 'assistants' });
  await expect(refused).rejects.toThrow('assistants is not supported');
  const endless = other.files.create({
    file,
    purpose: 'batch',
    expires_after: { anchor: 'created_at', seconds: 5 },
  });
  await expect(endless).rejects.toThrow('3600');
  const elsewhere = other.batches.create({
    input_file_id: own[2] ?? '',
    completion_window: '24h',
    endpoint: '/v1/chat/completions',
  });
  await expect(elsewhere).rejects.toBeInstanceOf(OpenAI.BadRequestError);
});

test('a tenant’s files and batches are its own', async () => {
  const batch = await begun([request('mine', { input: 'a whale' })]);
  const done = await ended(batch);
  for (const asked of [
    () => other.batches.retrieve(batch.id),
    () => other.batches.cancel(batch.id),
    () => other.files.retrieve(batch.input_file_id),
    () => other.files.content(done.output_file_id ?? ''),
    () => other.files.delete(done.output_file_id ?? ''),
    () =>
      other.batches.create({
        input_file_id: batch.input_file_id,
        endpoint: '/v1/embeddings',
        completion_window: '24h',
      }),
  ])
    await expect(asked()).rejects.toBeInstanceOf(OpenAI.NotFoundError);
  const seen = await Array.fromAsync(other.batches.list());
  expect(seen.map(({ id }) => id)).not.toContain(batch.id);
  expect((await Array.fromAsync(acme.batches.list({ limit: 2 }))).map(({ id }) => id)).toContain(batch.id);
  await expect(acme.batches.cancel(batch.id)).rejects.toBeInstanceOf(OpenAI.ConflictError);
});
