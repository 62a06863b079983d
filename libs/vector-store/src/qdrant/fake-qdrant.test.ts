import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startFakeQdrant, type FakeQdrant } from './fake-qdrant.ts';

interface Exchange {
  name: string;
  request: { method: string; path: string; body?: unknown };
  response: { status: number; body: unknown };
}

/**
 * 1.18: the requests of QdrantStore. 1.19: all of them; one sends more than the API description has, which Qdrant
 * ignores.
 */
const RECORDINGS = [
  { file: 'recordings-1.18.json', undescribed: [] },
  { file: 'recordings-1.19.json', undescribed: ['request put /collections/r/vectors/other'] },
].map(({ file, undescribed }) => ({
  file,
  undescribed,
  exchanges: readExchanges(join(import.meta.dirname, file)),
}));

describe.each(RECORDINGS)('the fake Qdrant answers as the recorded one did ($file)', (recording) => {
  const { exchanges, undescribed } = recording;
  let fake: FakeQdrant;
  beforeAll(async () => {
    fake = await startFakeQdrant({ vacuums: false });
  });
  afterAll(() => fake.close());

  test.each(exchanges.map((exchange) => [exchange.name, exchange] as const))(
    '%s',
    async (_, { request, response }) => {
      const answer = await fetch(fake.url + request.path, {
        method: request.method,
        ...(request.body === undefined || request.body === null
          ? {}
          : { body: JSON.stringify(request.body), headers: { 'content-type': 'application/json' } }),
      });
      expect(answer.status).toBe(response.status);
      const page = (request.body ?? {}) as Page;
      expect(comparable(await answer.json(), page)).toEqual(comparable(response.body, page));
    },
  );

  test('and none of it contradicts the description of the API', () => {
    expect(fake.requests.length).toBe(exchanges.length);
    const others = fake.violations.filter((one) => !undescribed.some((known) => one.startsWith(known)));
    expect(others).toEqual([]);
  });
});

test('the fake orders equal scores otherwise for other limits, as the recorded one does', async () => {
  const fake = await startFakeQdrant();
  try {
    const send = async (method: string, path: string, body: unknown) => {
      const headers = { 'content-type': 'application/json' };
      const answer = await fetch(fake.url + path, { method, body: JSON.stringify(body), headers });
      return (await answer.json()) as { result: { points: { id: number }[] } };
    };
    await send('PUT', '/collections/c', { vectors: { dense: { size: 2, distance: 'Cosine' } } });
    const points = Array.from({ length: 20 }, (_, id) => ({ id, vector: { dense: [1, 0] } }));
    await send('PUT', '/collections/c/points?wait=true', { points });
    const query = { query: [1, 0], using: 'dense' };
    const ids = async (limit: number, offset = 0) =>
      (await send('POST', '/collections/c/points/query', { ...query, limit, offset })).result.points.map(
        ({ id }) => id,
      );
    const whole = await ids(20);
    const starts = [3, 6, 9, 12].map(
      async (limit) => (await ids(limit)).join() === whole.slice(0, limit).join(),
    );
    expect(await Promise.all(starts)).toContain(false);
    expect(await ids(3, 3)).toEqual((await ids(6)).slice(3));
  } finally {
    await fake.close();
  }
});

describe('the checks of the fake find', () => {
  test.each([
    ['a misspelt field of a query', 'POST', '/points/query', { query: [1, 0], using: 'dense', limits: 3 }],
    [
      'a filter that is none',
      'POST',
      '/points/count',
      { filter: { must: [{ key: 'a', match: { values: 'x' } }] } },
    ],
    [
      'a date that is none',
      'POST',
      '/points/count',
      { filter: { must: [{ key: 'a', range: { gte: 'yesterday' } }] } },
    ],
    ['an id that is none', 'POST', '/points', { ids: ['not-a-uuid'] }],
    ['an unknown parameter', 'POST', '/points/delete?waiting=true', { filter: {} }],
    ['an unknown type of index', 'PUT', '/index', { field_name: 'a', field_schema: 'text-ish' }],
  ])('%s', async (_, method, path, body) => {
    const fake = await startFakeQdrant();
    try {
      const send = (where: string, how: string, what: unknown) =>
        fetch(`${fake.url}/collections/c${where}`, {
          method: how,
          body: JSON.stringify(what),
          headers: { 'content-type': 'application/json' },
        });
      await send('', 'PUT', { vectors: { dense: { size: 2, distance: 'Cosine' } } });
      expect(fake.violations).toEqual([]);
      await send(path, method, body);
      expect(fake.violations).not.toEqual([]);
    } finally {
      await fake.close();
    }
  });
});

const shared = join(
  process.env['EMBEDMILL_SHARED'] ?? join(import.meta.dirname, '../../../../../shared'),
  'qdrant',
);

describe.skipIf(!existsSync(shared))('the recordings (skipped without EMBEDMILL_SHARED)', () => {
  test.each(RECORDINGS)('that stand here are those of the shared folder: $file', ({ file, exchanges }) => {
    const all = readExchanges(join(shared, file)).map((exchange) => JSON.stringify(exchange));
    for (const exchange of exchanges) expect(all).toContain(JSON.stringify(exchange));
  });
});

function readExchanges(file: string): Exchange[] {
  return JSON.parse(readFileSync(file, 'utf8')) as Exchange[];
}

/** The limit and offset of a search; for a batch, those of each. */
interface Page {
  limit?: number;
  offset?: number;
  searches?: Page[];
}

/** Removes everything that varies between runs: times, operation counters, indexing progress, the order of ties. */
function comparable(node: unknown, page: Page = {}): unknown {
  if (Array.isArray(node))
    return node.every(isScored)
      ? inOrder(node, page)
      : node.map((one, at) => comparable(one, page.searches?.[at]));
  if (typeof node !== 'object' || node === null) return node;
  const varying = ['time', 'version', 'commit', 'operation_id', 'indexed_vectors_count'];
  return Object.fromEntries(
    Object.entries(node)
      .filter(([key]) => !varying.includes(key))
      .map(([key, value]) => [key, comparable(value, page)]),
  );
}

interface Scored {
  id: string | number;
  score: number;
}

const isScored = (one: unknown): one is Scored => typeof one === 'object' && one !== null && 'score' in one;

/** Sorts equal scores by id. Which of them are before or after a page's end is up to Qdrant. */
function inOrder(points: Scored[], { limit, offset = 0 }: Page): unknown[] {
  const cut = [
    ...(offset > 0 ? [points[0]?.score] : []),
    ...(points.length === limit ? [points.at(-1)?.score] : []),
  ];
  return points
    .toSorted((a, b) => b.score - a.score || (String(a.id) < String(b.id) ? -1 : 1))
    .map((point) => (cut.includes(point.score) ? { score: point.score } : comparable({ ...point })));
}
