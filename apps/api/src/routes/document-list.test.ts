import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startStoringApi, STORES, type StoringApi } from '../testing/storing-api.ts';

interface Page {
  documents: { id: string; tenant: string; chunks: number; text: string; metadata: object }[];
  next: string | null;
}

/** Documents listed without a search. */
describe.each(STORES)('on %s', (_name, open) => {
  let storing: StoringApi;
  let api: StoringApi['api'];
  let name: string;

  beforeAll(async () => {
    storing = await startStoringApi(open);
    api = storing.api;
    name = await storing.newCollection();
  });
  afterAll(() => api.close());

  async function filled(): Promise<void> {
    const lines = Array.from({ length: 30 }, (_, n) => ({
      id: `d${n}`,
      text: `text ${n}`,
      metadata: { year: 2000 + (n % 3) },
    }));
    await storing.finished(
      await storing.submit(name, [...lines, { id: 'x', text: 'theirs', tenant: 'acme' }]),
    );
  }

  const list = async (query: Record<string, string>) => {
    const { status, body } = await api.json(
      'GET',
      `/api/v1/collections/${name}/documents?${new URLSearchParams(query).toString()}`,
    );
    return { status, body: body as Page };
  };

  async function idsBy(query: Record<string, string>): Promise<string[]> {
    const ids: string[] = [];
    for (let after: string | null = ''; after !== null;) {
      const more: Record<string, string> = after === '' ? {} : { after };
      const { body } = await list({ ...query, ...more });
      ids.push(...body.documents.map(({ id }) => id));
      after = body.next;
    }
    return ids.sort();
  }

  test('each document is listed once, page by page', async () => {
    await filled();
    const expected = [...Array.from({ length: 30 }, (_, n) => `d${n}`), 'x'].sort();
    expect(await idsBy({ limit: '7' })).toEqual(expected);
    expect(await idsBy({})).toEqual(expected);
  });

  test('a filter and a tenant choose among them', async () => {
    await filled();
    const filter = JSON.stringify({ field: 'year', eq: 2001 });
    const chosen = Array.from({ length: 10 }, (_, n) => `d${3 * n + 1}`).sort();
    expect(await idsBy({ filter, limit: '4' })).toEqual(chosen);
    expect(await idsBy({ tenant: 'acme' })).toEqual(['x']);
    expect((await list({ tenant: 'acme' })).body.documents).toMatchObject([
      { id: 'x', tenant: 'acme', chunks: 1, text: 'theirs', title: null, source: null, metadata: {} },
    ]);
  });

  test('invalid requests are refused with a reason', async () => {
    expect(await list({ filter: '{' })).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
    expect(await list({ filter: '{"field":"colour","eq":"red"}' })).toMatchObject({
      body: { code: 'invalid_filter' },
    });
    expect(await list({ limit: '0' })).toMatchObject({ status: 400 });
  });
});
