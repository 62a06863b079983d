import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Job } from '@embedmill/jobs';
import { addColoursModel } from '../colours-model.ts';
import { Embedmill, ndjson } from '../embedmill.ts';
import { CHROMIUM, ConsoleBrowser, serious, shown, WITHOUT, type Look } from './chromium.ts';

const SUBJECTS = ['a whale in the sea', 'bread in the oven', 'a song at the piano', 'rain on the roof'];
const TEXTS = Array.from({ length: 40 }, (_, n) => ({
  id: `t${n}`,
  text: `${SUBJECTS[n % SUBJECTS.length]}, told for the ${n}th time`,
  metadata: { subject: n % SUBJECTS.length },
}));
const DARK: Look = { width: 390, theme: 'dark', language: 'zh' };

interface Points {
  documents: string[];
  x: number[];
  y: number[];
}

/** What the console shows of vectors: searches by image, the two sides of a migration, and maps. */
describe.skipIf(CHROMIUM === undefined)(`vectors in the console${WITHOUT}`, () => {
  let folder: string;
  let up: Embedmill;
  let browser: ConsoleBrowser;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'embedmill-vectors-'));
    await addColoursModel(folder);
    up = await Embedmill.up({ env: { EMBEDMILL_MODELS_DIR: folder } });
    browser = await ConsoleBrowser.launch((await up.state()).url);
  });
  afterAll(async () => {
    await browser?.close();
    await up?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const square = (background: string): Promise<Buffer> =>
    sharp({ create: { width: 48, height: 40, channels: 3, background } })
      .png()
      .toBuffer();
  const stored = async (profile: object, documents: readonly object[]): Promise<string> => {
    const collection = await up.collection('seen', profile);
    await up.finished(await up.submit(collection, ndjson(documents)));
    return collection;
  };

  test('an image that is dropped on Search, or chosen there, finds similar images', async () => {
    const colours = { red: '#f01010', blue: '#1010f0', green: '#10e010' };
    const documents = Object.entries(colours).map(async ([id, colour]) => ({
      id,
      image: `data:image/png;base64,${(await square(colour)).toString('base64')}`,
    }));
    const collection = await stored({ model: 'colours' }, await Promise.all(documents));
    const page = await browser.open(`#/search/${collection}`);
    const [first, picture] = [page.locator('.hit').first(), page.getByAltText('The image to search by')];
    await dropped(page, await square('#20d020'));
    await picture.waitFor();
    await expect.poll(() => first.textContent()).toContain('green');
    await page
      .getByLabel('Search by image')
      .setInputFiles({ name: 'sea.png', mimeType: 'image/png', buffer: await square('#2020d0') });
    await expect.poll(() => first.textContent()).toContain('blue');
    await page.getByRole('button', { name: 'Remove the example' }).click();
    await page.getByRole('searchbox').fill('a photo of a red car');
    await page.getByRole('button', { name: 'Search', exact: true }).click();
    await expect.poll(() => first.textContent()).toContain('red');
    expect(await picture.count()).toBe(0);
    expect(await serious(page)).toEqual([]);
    expect(browser.faults).toEqual([]);
    await page.context().close();
  });

  test('a hit of a hybrid search shows the share of its score from each list', async () => {
    const collection = await stored({ sparse: { bm25: {} } }, TEXTS.slice(0, 8));
    const page = await browser.open(`#/search/${collection}?query=bread+in+the+oven`);
    const lists = page.getByRole('list', { name: 'Contribution of each list' }).first();
    await expect.poll(() => lists.locator('li').allTextContents()).toHaveLength(2);
    const shares = (await lists.locator('.number').allTextContents()).map((share) => parseInt(share, 10));
    const sum = shares.reduce((total, share) => total + share, 0);
    expect(Math.abs(sum - 100), shares.join(' and ')).toBeLessThanOrEqual(1);
    await page.context().close();
  });

  test('the two sides of a migration answer the same query side by side, before and after searches are switched over', async () => {
    const collection = await stored({ sparse: { bm25: {} } }, TEXTS);
    const page = await browser.open(`#/collections/${collection}`);
    await page.getByText('Migrate to another model…').click();
    await page.locator('.fold').getByRole('combobox').selectOption('multilingual-e5-small-int8');
    await page.getByRole('button', { name: 'Begin' }).click();
    await page.waitForURL((url) => url.hash.startsWith('#/jobs/'));
    await page.getByText('completed').first().waitFor({ timeout: 120_000 });
    await page.goto(`${page.url().split('#')[0]}#/collections/${collection}`);
    await askBothSides(page, 'bread in the oven', ['all-MiniLM-L6-v2', 'multilingual-e5-small-int8']);
    expect(await serious(page)).toEqual([]);
    await page.getByRole('button', { name: 'Switch searches over' }).click();
    await page.locator('.side[data-used="true"]').getByText('multilingual-e5-small-int8').waitFor();
    await askBothSides(page, 'a song at the piano', ['multilingual-e5-small-int8', 'all-MiniLM-L6-v2']);
    await page.context().close();

    const narrow = await browser.open(`#/collections/${collection}`, DARK);
    await narrow.getByRole('searchbox').fill('bread');
    await narrow.getByRole('searchbox').press('Enter');
    await narrow.locator('.side-hits li').first().waitFor();
    expect(await narrow.evaluate<number>('document.documentElement.scrollWidth')).toBe(DARK.width);
    expect(await serious(narrow)).toEqual([]);
    await narrow.context().close();
    expect(browser.faults).toEqual([]);
  });

  test('the two collections of a migration are compared document by document', async () => {
    const collection = await stored({}, TEXTS);
    const into = `${collection}-cut`;
    const body = { into, profile: { chunking: { mode: 'tokens', size: 16, overlap: 0 } } };
    const { job } = await up.json<{ job: Job }>(`/api/v1/collections/${collection}/migration`, body);
    await up.finished(job);
    const page = await browser.open(`#/collections/${collection}`);
    await askBothSides(page, 'rain on the roof', [collection, into]);
    await page.context().close();
  });

  test('a map highlights search hits, lists what the lasso surrounds, and adds new documents', async () => {
    const collection = await stored({ filterable: { subject: 'integer' } }, TEXTS);
    const path = `/api/v1/collections/${collection}/map`;
    const page = await browser.open(`#/map/${collection}`);
    await page.getByRole('button', { name: 'Compute the map' }).click();
    await page.getByText('40 of 40 chunks').waitFor({ timeout: 120_000 });
    const chosen = page.getByRole('region', { name: 'Selected on the map' });
    await page.getByRole('searchbox').fill('a whale');
    await page.getByRole('searchbox').press('Enter');
    await expect.poll(() => chosen.locator('a').count()).toBeGreaterThan(0);
    await page.getByLabel('Colour by').selectOption('subject');
    await expect.poll(() => page.locator('.map-legend li').count()).toBe(SUBJECTS.length);
    await page.getByRole('button', { name: 'Clear' }).click();
    const isAllChosen = () => chosen.getByText('Selected on the map 40').count();
    await lassoed(page);
    await expect.poll(isAllChosen).toBe(1);
    // If the map is larger than its frame, the frame surrounds a part of it.
    for (let n = 0; n < 2; n += 1) await page.getByRole('button', { name: 'Larger' }).click();
    await lassoed(page);
    await expect.poll(isAllChosen).toBe(0);
    await page.getByRole('button', { name: 'The whole map' }).click();
    await lassoed(page);
    await expect.poll(isAllChosen).toBe(1);
    expect(await serious(page)).toEqual([]);

    const before = await up.json<Points>(`${path}/points`);
    await up.finished(await up.submit(collection, ndjson([{ id: 'late', text: 'a whale in the sea' }])));
    await page.getByRole('button', { name: 'Add new documents' }).click();
    await page.getByText('41 of 41 chunks').waitFor();
    const after = await up.json<Points>(`${path}/points`);
    const places = ({ documents, x, y }: Points) => new Map(documents.map((id, n) => [id, [x[n], y[n]]]));
    const [old, now] = [places(before), places(after)];
    for (const [id, place] of old) expect(now.get(id), id).toEqual(place);
    expect([...now.keys()].filter((id) => !old.has(id))).toEqual(['late']);
    await lassoed(page);
    await chosen.getByRole('link', { name: 'late' }).click();
    await page.getByText('a whale in the sea').waitFor();
    await page.context().close();
    expect(browser.faults).toEqual([]);
  });
});

/** Drops an image on the form, as a user drops one from the desktop. */
async function dropped(page: Page, picture: Buffer): Promise<void> {
  const form = page.getByRole('search');
  await form.waitFor();
  const dataTransfer = await page.evaluateHandle(`(() => {
    const bytes = Uint8Array.from(atob('${picture.toString('base64')}'), (one) => one.charCodeAt(0));
    const transfer = new DataTransfer();
    transfer.items.add(new File([bytes], 'picture.png', { type: 'image/png' }));
    return transfer;
  })()`);
  await form.dispatchEvent('drop', { dataTransfer });
}

async function askBothSides(page: Page, query: string, sides: readonly [string, string]): Promise<void> {
  await page.getByRole('searchbox').fill(query);
  await page.getByRole('button', { name: 'Search', exact: true }).click();
  for (const side of sides) {
    const hits = page.getByRole('list', { name: side, exact: true }).locator('li');
    await expect.poll(() => hits.count(), { message: side }).toBe(10);
    expect(await hits.first().textContent()).toContain(query);
  }
  await page.getByText(/^Both sides found \d+ of the first 10\.$/).waitFor();
}

/** Draws a line along the map's edge. */
async function lassoed(page: Page): Promise<void> {
  await shown(page);
  await page.getByRole('button', { name: 'Lasso' }).click();
  const box = await page.locator('canvas').boundingBox();
  if (box === null) throw new Error('the map is not visible');
  const [left, top] = [box.x + 2, box.y + 2];
  const [right, bottom] = [box.x + box.width - 2, box.y + box.height - 2];
  await page.mouse.move(left, top);
  await page.mouse.down();
  for (const [x, y] of [
    [right, top],
    [right, bottom],
    [left, bottom],
    [left, top],
  ] as const)
    await page.mouse.move(x, y, { steps: 8 });
  await page.mouse.up();
}
