// A small retrieval set in Chinese, in BEIR's layout, for `embedmill eval`: the sections and sidebars of The Debian
// Administrator's Handbook in simplified Chinese, each to be found by its own title; by the same title in traditional
// Chinese and in English as well, which share few words or none with it.
//
//   apt-get download debian-handbook && dpkg -x debian-handbook_*.deb handbook
//   node apps/cli/demo/handbook.ts handbook/usr/share/doc/debian-handbook FOLDER
//
// FOLDER gets a folder for each language of the titles: zh-CN, zh-TW, en-US. The text is GPL-2.0+ or CC-BY-SA-3.0, as
// FOLDER/COPYRIGHT says, which is the package's; it stays out of this repository.
import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const LANGUAGES = ['zh-CN', 'zh-TW', 'en-US'] as const;
type Title = Record<(typeof LANGUAGES)[number], string>;

const [source, target] = process.argv.slice(2);
if (source === undefined || target === undefined) {
  throw new Error('usage: node apps/cli/demo/handbook.ts …/usr/share/doc/debian-handbook FOLDER');
}

interface Section {
  /** The same in every language: its page, and which of its sections and sidebars it is. */
  id: string;
  title: string;
  text: string;
}

const ENTITIES: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', nbsp: ' ' };
const textOf = (html: string): string =>
  html
    .replace(/<[^>]*>/g, '')
    .replace(/&(?:#(\d+)|(\w+));/g, (_all, code?: string, name?: string) =>
      code === undefined ? (ENTITIES[name ?? ''] ?? '') : String.fromCodePoint(Number(code)),
    )
    .replace(/\s+/g, ' ')
    .trim();

/** Sections and sidebars of a page, with the paragraphs that stand behind their titles and before the next. */
function sectionsOf(page: string, html: string): Section[] {
  const parts = html.split(/<div class="(?:section|sidebar|chapter|appendix|preface)"/).slice(1);
  return parts.flatMap((part, n) => {
    const title = /<(h[1-6]|p) class="title"[^>]*>(.*?)<\/\1>/s.exec(part)?.[2] ?? '';
    const paragraphs = [...part.matchAll(/<div class="para">(.*?)<\/div>/gs)].map(([, one = '']) =>
      textOf(one),
    );
    const text = paragraphs.filter((one) => one !== '').join('\n');
    // Not the number of the section, and not the kind of the sidebar.
    const bare = textOf(title.replace(/<em>.*?<\/em>/s, '')).replace(/^(?:[A-Z0-9]+\.)+\s*/, '');
    return bare === '' || text === '' ? [] : [{ id: `${page}-${n}`, title: bare, text }];
  });
}

async function read(language: string): Promise<Map<string, Section>> {
  const folder = join(source ?? '', 'html', language);
  const pages = (await readdir(folder)).filter((name) => name.endsWith('.html')).toSorted();
  const sections = new Map<string, Section>();
  for (const page of pages) {
    const html = await readFile(join(folder, page), 'utf8');
    for (const one of sectionsOf(page.replace(/\.html$/, ''), html)) sections.set(one.id, one);
  }
  return sections;
}

const partOf = (text: string, of: RegExp): number => (text.match(of)?.length ?? 0) / text.length;
const isChinese = (text: string): boolean =>
  partOf(text.replace(/[\s\p{P}]/gu, ''), /\p{Script=Han}/gu) > 0.5;

const [simplified, traditional, english] = await Promise.all(LANGUAGES.map(read));
const documents = [...(simplified ?? []).values()].filter(
  ({ text, title }) => isChinese(text) && text.length > 60 && /\p{Script=Han}/u.test(title),
);
const titles = new Map<string, Title>();
for (const { id, title } of documents) {
  titles.set(id, {
    'zh-CN': title,
    'zh-TW': traditional?.get(id)?.title ?? '',
    'en-US': english?.get(id)?.title ?? '',
  });
}
/** A title that several sections have asks for none of them. */
const asksForOne = (id: string, language: keyof Title): boolean => {
  const own = titles.get(id)?.[language] ?? '';
  const isOfLanguage =
    language === 'en-US' ? own !== '' && !/\p{Script=Han}/u.test(own) : /\p{Script=Han}/u.test(own);
  return isOfLanguage && [...titles.values()].filter((title) => title[language] === own).length === 1;
};

const lines = (rows: object[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join('');
for (const language of LANGUAGES) {
  const folder = join(target, language);
  await mkdir(join(folder, 'qrels'), { recursive: true });
  const asked = documents.filter(({ id }) => asksForOne(id, language));
  await writeFile(
    join(folder, 'corpus.jsonl'),
    lines(documents.map(({ id, text }) => ({ _id: id, title: '', text }))),
  );
  await writeFile(
    join(folder, 'queries.jsonl'),
    lines(asked.map(({ id }) => ({ _id: `q-${id}`, text: titles.get(id)?.[language] }))),
  );
  const judgments = asked.map(({ id }) => `q-${id}\t${id}\t1\n`).join('');
  await writeFile(join(folder, 'qrels', 'test.tsv'), `query-id\tcorpus-id\tscore\n${judgments}`);
  process.stdout.write(`${folder}: ${documents.length} documents, ${asked.length} questions\n`);
}
await copyFile(join(source, 'copyright'), join(target, 'COPYRIGHT'));
