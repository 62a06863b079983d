/**
 * How the console feels in Chromium with software rendering: 10,000 jobs scrolled from end to end, a map of 100,000
 * points dragged, and how soon the first view is usable. `npm run bench -- console` prints it as JSON.
 */
import type { Page } from 'playwright-core';
import { Embedmill } from '../embedmill.ts';
import { CHROMIUM, ConsoleBrowser, shown, WITHOUT } from './chromium.ts';

const JOBS = Number(process.env['JOBS'] ?? 10_000);
const POINTS = Number(process.env['POINTS'] ?? 100_000);
const SECONDS = 5;
/** Longer frames are visible as jerks. */
const LONG_MS = 100;

if (CHROMIUM === undefined) throw new Error(`nothing can be measured${WITHOUT}`);
const up = await Embedmill.up();
const browser = await ConsoleBrowser.launch((await up.state()).url);
try {
  await up.json('/api/v1/collections', { name: 'many', profile: {} });
  const first = await firstView();
  const map = await draggedMap();
  await up.json('/api/v1/queue/pause', {});
  await submitted(JOBS);
  const jobs = await scrolledJobs();
  process.stdout.write(`${JSON.stringify({ firstView: first, map, jobs })}\n`);
} finally {
  await browser.close();
  await up.stop();
}

/** Milliseconds from the request to the page's heading, with nothing cached. */
async function firstView() {
  const page = await browser.open('#/overview');
  await shown(page);
  const ms = await page.evaluate<number>('performance.now()');
  await page.context().close();
  return { ms: Math.round(ms) };
}

async function submitted(count: number): Promise<void> {
  const body = { documents: [{ id: 'a', text: 'a text' }] };
  let left = count;
  const one = async () => {
    while (left > 0) {
      left -= 1;
      await up.json('/api/v1/collections/many/jobs', body);
    }
  };
  await Promise.all(Array.from({ length: 8 }, one));
}

/** Scrolls to the end of the list, loading page after page, and counts frames. */
async function scrolledJobs() {
  const page = await browser.open('#/jobs');
  await shown(page);
  await page.locator('tr.row').first().waitFor();
  await page.locator('.table-box.tall').hover();
  const frames = counting(page);
  let rows = 0;
  const box = '.table-box.tall';
  while (rows < JOBS) {
    await page.mouse.wheel(0, 4000);
    rows = await page.evaluate<number>(
      `Math.round(document.querySelector('${box}').scrollTop / 56)
        + document.querySelectorAll('${box} tr.row').length`,
    );
  }
  const counted = await (await frames).end();
  const drawn = await page.locator('tr.row').count();
  await page.context().close();
  return { ...counted, rows, drawn };
}

/** Drags a map of made-up points, as the API returns it, with the mouse. */
async function draggedMap() {
  const page = await browser.open('#/overview');
  const state = { state: 'ready', progress: 1, error: null, computedAt: new Date().toISOString() };
  await page.route('**/api/v1/collections/many/map', (route) =>
    route.fulfill({ json: { ...state, points: POINTS, total: POINTS, method: 'umap', fields: [] } }),
  );
  await page.route('**/api/v1/collections/many/map/points', (route) => route.fulfill({ json: madeUp() }));
  await page.evaluate(`location.hash = '#/map/many'`);
  const canvas = page.locator('canvas');
  await canvas.waitFor();
  const box = await canvas.boundingBox();
  if (box === null) throw new Error('the map is not visible');
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  await page.mouse.move(x, y);
  await page.mouse.down();
  const frames = await counting(page);
  const until = Date.now() + SECONDS * 1000;
  for (let n = 0; Date.now() < until; n += 1)
    await page.mouse.move(x + 200 * Math.sin(n / 20), y + 100 * Math.cos(n / 20));
  const counted = await frames.end();
  await page.mouse.up();
  await page.context().close();
  return { points: POINTS, ...counted };
}

function madeUp() {
  const clusters = Array.from({ length: 12 }, (_, n) => ({
    x: 10 * Math.cos(n),
    y: 10 * Math.sin(n),
    size: POINTS / 12,
    words: [`word${n}`, `other${n}`],
  }));
  const of = Array.from({ length: POINTS }, (_, n) => n % 12);
  const spread = (n: number, by: number) => Math.sin(n * by) * 3;
  return {
    points: of.map((_, n) => String(n)),
    documents: of.map((_, n) => `document ${n}`),
    chunks: of.map(() => 0),
    x: of.map((cluster, n) => (clusters[cluster]?.x ?? 0) + spread(n, 12.9898)),
    y: of.map((cluster, n) => (clusters[cluster]?.y ?? 0) + spread(n, 78.233)),
    cluster: of,
    values: {},
    clusters,
  };
}

/** Counts the frames of a page from now on. */
async function counting(page: Page) {
  await page.evaluate(`(() => {
    const counted = { began: performance.now(), last: performance.now(), times: [] };
    const next = (now) => { counted.times.push(now - counted.last); counted.last = now; requestAnimationFrame(next); };
    requestAnimationFrame(next);
    window.counted = counted;
  })()`);
  return {
    async end() {
      const times = await page.evaluate<number[]>('window.counted.times');
      const seconds = times.reduce((sum, ms) => sum + ms, 0) / 1000;
      return {
        seconds: Math.round(seconds * 10) / 10,
        framesPerSecond: Math.round((times.length / seconds) * 10) / 10,
        longestMs: Math.round(Math.max(...times)),
        longFrames: times.filter((ms) => ms > LONG_MS).length,
      };
    },
  };
}
