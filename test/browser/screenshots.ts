/**
 * The pictures of docs/console.md, one of each page, with the demo’s data: npm run screenshots. To look at it in
 * another look, write elsewhere: `npm run screenshots -- --to FOLDER --width 390 --theme dark --language zh`. With
 * `--all`, every page in each of the eight looks.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Page } from 'playwright-core';
import sharp from 'sharp';
import { Embedmill } from '../embedmill.ts';
import { CHROMIUM, ConsoleBrowser, shown, WITHOUT, type Look } from './chromium.ts';
import { demoData, type DemoData } from './demo-data.ts';

const DOCS = fileURLToPath(new URL('../../docs/console/', import.meta.url));

interface Shot {
  readonly name: string;
  readonly hash: string;
  /** The theme in the docs' pictures; otherwise light. */
  readonly theme?: Look['theme'];
  /** Actions before the screenshot is taken. */
  readonly prepare?: (page: Page) => Promise<void>;
}

const shotsOf = ({ failing, migrating }: DemoData): Shot[] => [
  { name: 'overview', hash: '#/overview', theme: 'dark' },
  { name: 'jobs', hash: '#/jobs' },
  {
    name: 'job',
    hash: `#/jobs/${failing.id}`,
    prepare: (page) => page.locator('.reason button').last().click(),
  },
  {
    name: 'submit',
    hash: '#/submit?collection=words',
    async prepare(page) {
      const rows =
        'sku,name,description,price,shelf\nA-100,Desk lamp,"A lamp of brass, for a desk.",49.00,left\n';
      const buffer = Buffer.from(`${rows}B-7,Chair,"A chair of oak with a woven seat.",240.00,window\n`);
      await page
        .locator('input[type="file"]')
        .setInputFiles({ name: 'goods.csv', mimeType: 'text/csv', buffer });
      await page.locator('.preview').waitFor();
    },
  },
  { name: 'collections', hash: '#/collections' },
  {
    name: 'migration',
    hash: `#/collections/${migrating}`,
    async prepare(page) {
      await page.getByRole('searchbox').fill('a leader of a church');
      await page.getByRole('searchbox').press('Enter');
      await page.locator('.side-hits li').first().waitFor();
    },
  },
  { name: 'documents', hash: '#/collections/words/documents' },
  { name: 'document', hash: '#/collections/words/documents/bank.n.01' },
  { name: 'search', hash: '#/search/words?query=a+leader+of+a+church' },
  {
    name: 'map',
    hash: '#/map/words',
    async prepare(page) {
      await page.getByRole('searchbox').fill('a kind of tree');
      await page.getByRole('searchbox').press('Enter');
      await page.locator('.map-list li').first().waitFor();
    },
  },
  { name: 'models', hash: '#/models' },
  { name: 'usage', hash: '#/usage' },
  { name: 'keys', hash: '#/keys' },
];
/** More views to look at, which the docs do not need. */
const OTHERS: readonly Shot[] = [
  { name: 'submit-empty', hash: '#/submit' },
  {
    name: 'new-collection',
    hash: '#/collections',
    prepare: (page) => page.locator('.page-head .button.primary').click(),
  },
  {
    name: 'compare',
    hash: '#/search/words?query=a+leader+of+a+church',
    async prepare(page) {
      await page.locator('.search-form > .actions .check').first().click();
      await page.locator('.results[data-columns="3"] .hit').nth(20).waitFor();
    },
  },
  { name: 'no-jobs', hash: '#/jobs?text=nothing-of-this-name' },
  { name: 'no-collection', hash: '#/collections/none' },
];

if (CHROMIUM === undefined) throw new Error(`no pictures can be made${WITHOUT}`);
const { values } = parseArgs({
  options: {
    to: { type: 'string', default: DOCS },
    width: { type: 'string', default: '1440' },
    theme: { type: 'string' },
    language: { type: 'string', default: 'en' },
    all: { type: 'boolean', default: false },
  },
});
const looks: { look: Partial<Look>; name: string }[] = values.all
  ? [1440, 390].flatMap((width) =>
      (['light', 'dark'] as const).flatMap((theme) =>
        (['en', 'zh'] as const).map((language) => ({
          look: { width, theme, language },
          name: `${width}-${theme}-${language}-`,
        })),
      ),
    )
  : [
      {
        look: {
          width: Number(values.width),
          language: values.language as Look['language'],
          ...(values.theme !== undefined && { theme: values.theme as Look['theme'] }),
        },
        name: '',
      },
    ];

await mkdir(values.to, { recursive: true });
const up = await Embedmill.up();
const browser = await ConsoleBrowser.launch((await up.state()).url);
try {
  const data = await demoData(up);
  const shots = [...shotsOf(data), ...(values.to === DOCS ? [] : OTHERS)];
  for (const { look, name } of looks) {
    for (const shot of shots) {
      const whole: Look = { width: 1440, theme: shot.theme ?? 'light', language: 'en', ...look };
      await taken(shot, whole, join(values.to, `${name}${shot.name}.png`));
    }
  }
} finally {
  await browser.close();
  await up.stop();
}

async function taken({ hash, prepare }: Shot, look: Look, path: string): Promise<void> {
  const page = await browser.open(hash, look);
  await shown(page);
  await prepare?.(page);
  // Waits for the animations of charts and bars to end.
  await page.waitForTimeout(800);
  // For looking, the whole page; for the docs, one screen in few colours, which are all there are.
  if (values.to === DOCS)
    await sharp(await page.screenshot())
      .png({ palette: true, effort: 10 })
      .toFile(path);
  else await page.screenshot({ path, fullPage: true });
  await page.context().close();
}
