import { createServer, request as ask } from 'node:http';
import { join } from 'node:path';
import type { AddressInfo } from 'node:net';
import { parquetWriteBuffer } from 'hyparquet-writer';
import type { Request } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JobId } from '@embedmill/jobs';
import { Embedmill, ndjson } from '../embedmill.ts';
import { CHROMIUM, ConsoleBrowser, DESKTOP, serious, shown, WITHOUT, type Look } from './chromium.ts';

const WHALES = [
  { id: 'whale', text: 'A captain hunts a white whale across the oceans.', metadata: { year: 1851 } },
  { id: 'house', text: 'A woman walks through London and buys flowers.', metadata: { year: 1925 } },
  {
    id: 'law',
    text: 'A man is arrested one morning without having done anything wrong.',
    metadata: { year: 1925 },
  },
];
const LOOKS: readonly Look[] = [
  DESKTOP,
  { width: 1440, theme: 'dark', language: 'zh' },
  { width: 390, theme: 'light', language: 'zh' },
  { width: 390, theme: 'dark', language: 'en' },
];
const FIXTURES = join(import.meta.dirname, '../../libs/parsing/fixtures');

describe.skipIf(CHROMIUM === undefined)(`the console${WITHOUT}`, () => {
  let up: Embedmill;
  let browser: ConsoleBrowser;
  let collection: string;
  let failing: string;

  beforeAll(async () => {
    up = await Embedmill.up();
    browser = await ConsoleBrowser.launch((await up.state()).url);
    collection = await up.collection('books', { sparse: { bm25: {} }, filterable: { year: 'integer' } });
    await up.finished(await up.submit(collection, ndjson(WHALES)));
    const bad = await up.submit(collection, `${ndjson([{ id: 'empty', text: '' }])}not json\n`);
    failing = (await up.finished(bad)).id;
  });
  afterAll(async () => {
    await browser?.close();
    await up?.stop();
  });

  const pages = () => ({
    overview: '#/overview',
    jobs: '#/jobs',
    'a job with failures': `#/jobs/${failing}`,
    submit: '#/submit',
    collections: '#/collections',
    'a collection': `#/collections/${collection}`,
    documents: `#/collections/${collection}/documents`,
    'a document': `#/collections/${collection}/documents/whale`,
    search: `#/search/${collection}?query=a+captain`,
    models: '#/models',
    usage: '#/usage',
    keys: '#/keys',
  });

  test('every page loads without errors, fits its screen, and has no serious findings of axe-core', async () => {
    for (const look of LOOKS) {
      for (const [name, hash] of Object.entries(pages())) {
        const where = `${name}, ${look.width} px, ${look.theme}, ${look.language}`;
        const page = await browser.open(hash, look);
        await shown(page);
        expect(await serious(page), where).toEqual([]);
        expect(await page.evaluate<number>('document.documentElement.scrollWidth'), where).toBe(look.width);
        expect(await page.locator('[role="alert"]').allTextContents(), where).toEqual([]);
        await page.context().close();
      }
    }
    expect(browser.faults).toEqual([]);
  });

  test('the first load is at most 150 kB, compressed, and does not include the map’s code', async () => {
    const sizeOf = async (path: string) => {
      const response = await up.call(`/console/${path}`, { headers: { 'accept-encoding': 'gzip' } });
      expect(response.headers.get('content-encoding'), path).toBe('gzip');
      return { size: Number(response.headers.get('content-length')), text: await response.text() };
    };
    const page = await sizeOf('');
    const assets = [...page.text.matchAll(/(?:src|href)="\.\/(assets\/[^"]+)"/g)].map(
      ([, path = '']) => path,
    );
    expect(assets.join(' ')).not.toContain('map');
    const sizes = await Promise.all(assets.map(sizeOf));
    expect(assets.length).toBeGreaterThan(2);
    expect(sizes.every(({ size }) => size > 0)).toBe(true);
    expect(sizes.reduce((sum, { size }) => sum + size, page.size)).toBeLessThan(150_000);
  });

  test('from a dropped file to search hits in it, in two clicks', async () => {
    const page = await browser.open(`#/submit?collection=${collection}`);
    await page.locator('input[type="file"]').setInputFiles({
      name: 'more.csv',
      mimeType: 'text/csv',
      buffer: Buffer.from('sku,body,shelf\ncook,"A cook, a kitchen and a soup.",left\n'),
    });
    await page.getByRole('button', { name: `Submit to ${collection}` }).click();
    await page.getByText('completed').first().waitFor();
    await page.getByRole('link', { name: `Search ${collection}` }).click();
    await page.getByRole('searchbox').fill('preparing food');
    await page.getByRole('searchbox').press('Enter');
    await expect.poll(() => page.locator('.hit').first().textContent()).toContain('cook');
    await page.getByRole('button', { name: 'More like this' }).first().click();
    await expect.poll(() => page.locator('.chip').textContent()).toContain('cook');
    await page.context().close();
  });

  test('failures are grouped by reason and retried from there', async () => {
    const page = await browser.open(`#/jobs/${failing}`);
    await page.getByText('malformed_json').waitFor();
    await page.getByText('empty_text').waitFor();
    await page.getByRole('button', { name: 'Retry all failures' }).click();
    await expect.poll(() => page.getByText('Retry of', { exact: true }).count()).toBe(1);
    expect(page.url()).not.toContain(failing);
    await page.context().close();
  });

  test('selected failures are retried, and both jobs log it', async () => {
    const page = await browser.open(`#/jobs/${failing}`);
    const reason = page.locator('.reason').filter({ hasText: 'malformed_json' });
    await reason.getByRole('button', { name: 'Show the lines' }).click();
    await reason.getByRole('checkbox', { name: 'Select line 2' }).check();
    await reason.getByRole('button', { name: 'Retry the 1 selected' }).click();
    await page.waitForURL((url) => !url.hash.includes(failing));
    const log = page.getByRole('list', { name: 'Log' });
    await log.getByText('ended', { exact: true }).waitFor();
    await log.getByText(`accepted: retry of ${failing}`).waitFor();
    await page.getByText('of 1', { exact: true }).waitFor();
    await page.goto(`${page.url().split('#')[0]}#/jobs/${failing}`);
    await log.getByText('retries its failures').first().waitFor();
    await page.context().close();
  });

  test('the first rows of a Parquet file are shown before it is sent', async () => {
    const bytes = parquetWriteBuffer({
      columnData: [
        { name: 'sku', data: ['p1', 'p2'], type: 'STRING' },
        { name: 'body', data: ['A lamp for a desk.', 'A chair of oak.'], type: 'STRING' },
        { name: 'price', data: [12n, 240n], type: 'INT64' },
      ],
    });
    const page = await browser.open(`#/submit?collection=${collection}`);
    await page.locator('input[type="file"]').setInputFiles({
      name: 'goods.parquet',
      mimeType: 'application/vnd.apache.parquet',
      buffer: Buffer.from(bytes),
    });
    const rows = page.getByRole('region', { name: 'First rows' }).locator('tbody tr');
    await expect
      .poll(() => rows.allTextContents())
      .toEqual(['p1A lamp for a desk.12', 'p2A chair of oak.240']);
    await page.getByRole('button', { name: `Submit to ${collection}` }).click();
    await page.getByText('completed').first().waitFor();
    expect(browser.faults).toEqual([]);
    await page.context().close();
  });

  test('a PDF becomes a document, and a hit in it names its headings and page', async () => {
    const page = await browser.open(`#/submit?collection=${collection}`);
    await page.locator('input[type="file"]').setInputFiles(join(FIXTURES, 'guide.pdf'));
    await page.getByText('The file becomes one document').waitFor();
    await page.getByRole('button', { name: `Submit to ${collection}` }).click();
    await page.waitForURL((url) => url.hash.startsWith('#/jobs/'));
    const id = page.url().split('#/jobs/')[1] as JobId;
    expect(await up.finished({ id })).toMatchObject({ state: 'completed', stored: 1 });
    await page.goto(`${page.url().split('#')[0]}#/search/${collection}?query=when+ferries+run`);
    const hit = page.locator('.hit').first();
    await hit.getByText('The river guide › Ferries').waitFor();
    await hit.getByText('page 1').waitFor();
    await hit.getByRole('link').first().click();
    await page.getByText('The river guide › Words').waitFor();
    expect(browser.faults).toEqual([]);
    await page.context().close();
  });

  test('a page has at most one event stream, and leaves none open', async () => {
    const page = await browser.open('#/usage');
    await shown(page);
    const open = new Set<Request>();
    const streams: string[] = [];
    page.on('request', (request) => {
      if (!request.url().endsWith('/events')) return;
      open.add(request);
      streams.push(new URL(request.url()).pathname);
    });
    page.on('requestfinished', (request) => open.delete(request));
    page.on('requestfailed', (request) => open.delete(request));
    const base = page.url().split('#')[0];
    for (const [hash, most] of [
      ['#/overview', 1],
      ['#/jobs', 0],
      [`#/jobs/${failing}`, 1],
      ['#/overview', 1],
      ['#/keys', 0],
    ] as const) {
      const before = streams.length;
      await page.goto(`${base}${hash}`);
      await shown(page);
      await expect.poll(() => streams.length, { message: hash }).toBe(before + most);
      await expect.poll(() => open.size, { message: hash }).toBeLessThanOrEqual(most);
    }
    await expect.poll(() => open.size).toBe(0);
    expect(streams).toEqual([
      '/api/v1/overview/events',
      `/api/v1/jobs/${failing}/events`,
      '/api/v1/overview/events',
    ]);
    await page.context().close();
  });

  test('it works below a path that a proxy puts in front', async () => {
    const { url } = await up.state();
    const asked: string[] = [];
    const proxy = createServer((request, response) => {
      const path = request.url ?? '';
      asked.push(path);
      if (!path.startsWith('/mill/')) return void response.writeHead(404).end();
      const to = new URL(path.slice('/mill'.length), url);
      const { method, headers } = request;
      const passed = ask(to, { method, headers }, (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      });
      passed.on('error', () => response.destroy());
      request.pipe(passed);
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    const { port } = proxy.address() as AddressInfo;
    const behind = await ConsoleBrowser.launch(`http://127.0.0.1:${port}/mill`);
    try {
      for (const hash of ['#/overview', `#/search/${collection}?query=a+captain`, `#/jobs/${failing}`]) {
        const page = await behind.open(hash);
        await shown(page);
        expect(await page.locator('[role="alert"]').allTextContents(), hash).toEqual([]);
        await page.context().close();
      }
      expect(behind.faults).toEqual([]);
      expect(asked.filter((path) => !path.startsWith('/mill/'))).toEqual([]);
    } finally {
      await behind.close();
      proxy.closeAllConnections();
      proxy.close();
    }
  });

  test('documents are filtered without a query', async () => {
    const page = await browser.open(`#/collections/${collection}/documents`);
    const listed = page.locator('.document-cell a');
    await expect.poll(() => listed.count()).toBeGreaterThan(2);
    await page.getByRole('button', { name: 'Condition', exact: true }).click();
    await page.getByLabel('Value').fill('1851');
    await expect.poll(() => listed.allTextContents()).toEqual(['whale']);
    await page.context().close();
  });

  test('one click changes the language, which stays', async () => {
    const page = await browser.open('#/jobs');
    await shown(page);
    await page.getByRole('button', { name: '中文' }).click();
    await expect.poll(() => page.locator('h1').textContent()).toBe('任务');
    await page.reload();
    await expect.poll(() => page.locator('h1').textContent()).toBe('任务');
    await page.context().close();
  });

  test('if the API is killed during a job, the page says so, and continues when it is back', async () => {
    const many = Array.from({ length: 3000 }, (_, n) => ({
      id: `n${n}`,
      text: `The ${n}th text about the sea.`,
    }));
    const job = await up.submit(collection, ndjson(many));
    const page = await browser.open(`#/jobs/${job.id}`);
    await shown(page);
    await up.underWay(job);
    const faults = browser.faults.length;
    process.kill((await up.state()).processes.api, 'SIGKILL');
    await page.getByText('Connection lost').waitFor();
    await page.getByText('Connection lost').waitFor({ state: 'detached' });
    await page.getByText('completed').first().waitFor();
    // The browser's own errors about an unreachable server.
    const more = browser.faults.splice(faults);
    expect(
      more.filter((fault) => !/ERR_CONNECTION|ERR_INCOMPLETE|ERR_EMPTY|Failed to load/.test(fault)),
    ).toEqual([]);
    await page.context().close();
  });
});
