/** The pictures of docs/console.md, of the demo’s data: npm run console:screenshots. With `--narrow`, of a phone’s width. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Job } from '@embedmill/jobs';
import { Embedmill } from '../embedmill.ts';
import { CHROMIUM, ConsoleBrowser, DESKTOP, shown, WITHOUT, type Look } from './chromium.ts';

const FOLDER = fileURLToPath(new URL('../../docs/console/', import.meta.url));
const DATA = new URL('../../apps/cli/demo/', import.meta.url);
const FAULTY = '{"id":"empty","text":""}\n{"id":"no-text"}\nnot json\n{"id":"cut","text":"a good one"}\n';

if (CHROMIUM === undefined) throw new Error(`no pictures can be made${WITHOUT}`);
const narrow = process.argv.includes('--narrow');
const up = await Embedmill.up();
const browser = await ConsoleBrowser.launch((await up.state()).url);
try {
  const failing = await fill();
  await mapped('words');
  const pages: Record<string, string> = {
    overview: '#/overview',
    job: `#/jobs/${failing.id}`,
    document: '#/collections/words/documents/bank.n.01',
    search: '#/search/words?query=a+leader+of+a+church',
    map: '#/map/words',
  };
  const look: Look = narrow ? { ...DESKTOP, width: 390 } : DESKTOP;
  for (const [name, hash] of Object.entries(pages)) {
    const page = await browser.open(hash, name === 'overview' ? { ...look, theme: 'dark' } : look);
    await shown(page);
    // Charts and bars come to rest.
    await page.waitForTimeout(800);
    await page.screenshot({ path: `${FOLDER}${name}${narrow ? '-narrow' : ''}.png` });
    await page.context().close();
  }
} finally {
  await browser.close();
  await up.stop();
}

/** Two collections with the demo’s documents, and a job some of whose documents fail. */
async function fill(): Promise<Job> {
  const profiles = {
    words: { sparse: { bm25: {} }, filterable: { words: 'keyword' } },
    zhongwen: {
      model: 'multilingual-e5-small-int8',
      sparse: { bm25: { language: 'chinese' } },
      filterable: { language: 'keyword' },
    },
  };
  for (const [name, profile] of Object.entries(profiles))
    await up.json('/api/v1/collections', { name, profile });
  await up.finished(await up.submit('words', await readFile(new URL('wordnet.ndjson', DATA))));
  await up.finished(await up.submit('zhongwen', await readFile(new URL('chinese.ndjson', DATA))));
  return up.finished(await up.submit('words', FAULTY));
}

/** Computes a collection’s map, coloured by nothing but its clusters. */
async function mapped(collection: string): Promise<void> {
  const path = `/api/v1/collections/${collection}/map`;
  await up.json(path, {});
  await up.until('the map is there', async () => (await up.json<{ state: string }>(path)).state === 'ready');
}
