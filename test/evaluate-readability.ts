import { readdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { Parser } from '@embedmill/parsing';
import { npmFolder, npmPackages } from './clients/npm-packages.ts';

/**
 * What embedmill and Mozilla's Readability keep of pages: `node test/evaluate-readability.ts FOLDER… [--pages N]`, for
 * folders of HTML, each from one generator. A page is compared by its runs of five words: runs that no other page of
 * the folder has are its own content, and runs that four fifths of the pages have are boilerplate. Prints the share of
 * the content that is kept, on average and for the worst page, and the share of the boilerplate that is left out. First
 * installs Readability and jsdom in a folder of their own.
 */
const PACKAGES = ['@mozilla/readability@0.6.0', 'jsdom@26.1.0'];
const ENTRY = new URL('../apps/cli/src/parsing.ts', import.meta.url);
const WORDS_A_RUN = 5;
const ON_MOST = 0.8;
/** Pages with fewer runs are lists of other pages. */
const LEAST_RUNS = 200;

const BLOCK =
  /<\/?(?:address|article|aside|blockquote|br|caption|center|dd|details|div|dl|dt|fieldset|figcaption|figure|footer|form|h[1-6]|header|hr|img|li|main|nav|ol|p|pre|section|summary|table|tbody|td|tfoot|th|thead|tr|ul)\b[^>]*>/gi;

interface Dom {
  window: { document: { body: { innerHTML: string }; querySelectorAll: (names: string) => Iterable<Page> } };
}
interface Page {
  remove: () => void;
}
interface Libraries {
  JSDOM: new (source: string, options?: { url: string }) => Dom;
  Readability: new (document: Dom['window']['document']) => {
    parse: () => { title: string; content: string } | null;
  };
}

/** A page's runs of words: all of them, and those that each extractor keeps. */
interface Runs {
  all: Set<string>;
  embedmill: Set<string>;
  readability: Set<string>;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { pages: { type: 'string', default: '12' } },
});
if (positionals.length === 0) throw new Error('name folders of HTML');
const missing = await npmPackages('readability', PACKAGES);
if (missing !== undefined) throw new Error(missing);
const load = createRequire(join(npmFolder('readability'), 'package.json'));
const { JSDOM } = load('jsdom') as Libraries;
const { Readability } = load('@mozilla/readability') as Libraries;
const parser = new Parser(ENTRY);
try {
  for (const folder of positionals) await compare(folder);
} finally {
  parser.close();
}

async function compare(folder: string): Promise<void> {
  const names = (await readdir(folder, { recursive: true })).filter((name) => /\.html?$/.test(name)).sort();
  const pages: Runs[] = [];
  const every = Math.max(1, names.length / (3 * Number(values.pages)));
  for (let at = 0; at < names.length && pages.length < Number(values.pages); at += every) {
    const runs = await runsOf(join(folder, names[Math.floor(at)] ?? ''));
    if (runs.all.size >= LEAST_RUNS) pages.push(runs);
  }
  const counts = new Map<string, number>();
  for (const { all } of pages) for (const run of all) counts.set(run, (counts.get(run) ?? 0) + 1);
  const print = (what: string) =>
    process.stdout.write(`${basename(folder)}: ${pages.length} pages; ${what}\n`);
  for (const who of ['embedmill', 'readability'] as const) {
    const kept = pages.map((page) => shareOf(page.all, page[who], (run) => counts.get(run) === 1));
    const around = pages.map((page) =>
      shareOf(page.all, page[who], (run) => (counts.get(run) ?? 0) >= ON_MOST * pages.length),
    );
    const left = around.filter((share) => share !== undefined);
    print(
      `${who} keeps ${mean(kept).toFixed(3)} of the content (worst page ${Math.min(...numbers(kept)).toFixed(3)}), ` +
        (left.length === 0
          ? 'no boilerplate to leave out'
          : `leaves out ${(1 - mean(left)).toFixed(3)} of the boilerplate`),
    );
  }
}

async function runsOf(path: string): Promise<Runs> {
  const bytes = await readFile(path);
  const source = new TextDecoder().decode(bytes);
  const read = await parser.parse({ bytes, name: path }).catch(() => undefined);
  const found = new Readability(new JSDOM(source, { url: 'https://example.org/' }).window.document).parse();
  return {
    all: runsIn(wordsOf(source)),
    embedmill: runsIn(`${read?.title ?? ''} ${read?.text ?? ''}`),
    readability: runsIn(`${found?.title ?? ''} ${wordsOf(found?.content ?? '')}`),
  };
}

/** The words of a page, with a space at the borders of blocks. */
function wordsOf(source: string): string {
  const { document } = new JSDOM(source).window;
  for (const one of document.querySelectorAll('script, style, noscript, template')) one.remove();
  return document.body.innerHTML
    .replace(BLOCK, ' ')
    .replace(/<[^>]*>/g, '')
    .replace(/&(?:[a-z]+|#\d+);/g, ' ');
}

function runsIn(text: string): Set<string> {
  const words = text.toLowerCase().match(/\p{L}+/gu) ?? [];
  const runs = new Set<string>();
  for (let at = 0; at + WORDS_A_RUN <= words.length; at += 1)
    runs.add(words.slice(at, at + WORDS_A_RUN).join(' '));
  return runs;
}

/** The share of the matching runs that is kept; undefined if none match. */
function shareOf(
  all: ReadonlySet<string>,
  kept: ReadonlySet<string>,
  isMeant: (run: string) => boolean,
): number | undefined {
  const meant = [...all].filter(isMeant);
  return meant.length === 0 ? undefined : meant.filter((run) => kept.has(run)).length / meant.length;
}

function numbers(all: readonly (number | undefined)[]): number[] {
  return all.filter((one) => one !== undefined);
}

function mean(all: readonly (number | undefined)[]): number {
  const each = numbers(all);
  return each.reduce((sum, one) => sum + one, 0) / each.length;
}
