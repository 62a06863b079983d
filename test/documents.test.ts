import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DocumentStructure, Hit, Job } from '@embedmill/jobs';
import { Embedmill } from './embedmill.ts';

/** Files that are documents, through all processes, with the command line as the client. */
const FIXTURES = join(import.meta.dirname, '../libs/parsing/fixtures');
const sentences = (about: string, count: number): string =>
  Array.from({ length: count }, (_, n) => `The ${about} has a rule number ${n}, which nobody forgets.`).join(
    ' ',
  );
const GUIDE = `# Mill\n\n## Wheel\n\n${sentences('wheel', 40)}\n\n## Stones\n\n${sentences('stone', 40)}\n`;

let folder: string;
let mill: Embedmill;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'embedmill-documents-'));
  for (const name of ['guide.pdf', 'columns.pdf', 'guide.docx', 'scan.pdf', 'message.eml', 'slides.pptx'])
    await cp(join(FIXTURES, name), join(folder, name));
  await writeFile(join(folder, 'mill.md'), GUIDE);
  await writeFile(join(folder, 'picture.png'), '\x89PNG');
  mill = await Embedmill.up();
  await mill.json('/api/v1/collections', { name: 'docs' });
});
afterAll(async () => {
  await mill?.stop();
  await rm(folder, { recursive: true, force: true });
});

async function submitted(...options: string[]): Promise<Job> {
  const { stdout } = await mill.cli('submit', folder, '-c', 'docs', '--wait', '--json', ...options);
  return JSON.parse(stdout) as Job;
}

async function hitsOf(query: string): Promise<Hit[]> {
  const path = '/api/v1/collections/docs/search';
  return (await mill.json<{ hits: Hit[] }>(path, { query, limit: 3 })).hits;
}

test('a folder is one job, hits name their place in the document, and an edit embeds only what it changed', async () => {
  const sync = ['--sync', '--source-name', 'folder'];
  expect(await submitted(...sync)).toMatchObject({ documents: 7, stored: 6, failed: 1 });

  const [ferry] = await hitsOf('how to call a ferry: the bell on the bank');
  expect(ferry?.chunk.headings).toEqual(['The river guide', 'Ferries']);
  const [page] = await hitsOf('Lights 4: children and dogs travel free');
  expect(page).toMatchObject({ title: 'Ferries in two columns', chunk: { pages: [4, 5] } });
  const { text } = await mill.json<{ text: string }>(
    `/api/v1/collections/docs/documents/${encodeURIComponent(page!.id)}`,
  );
  expect(text.slice(page!.chunk.start, page!.chunk.end)).toBe(page!.text);

  await writeFile(join(folder, 'mill.md'), GUIDE.replace('## Stones\n', '## Stones\n\nThey are new.\n'));
  const again = await submitted(...sync);
  expect(again).toMatchObject({ documents: 7, stored: 1, skipped: 5, failed: 1 });
  expect(again.chunks - again.reused).toBeLessThanOrEqual(2);
  expect(again.reused).toBeGreaterThan(3);

  // A chunk's vector depends on its headings: the chunks of this section are embedded again, and no others.
  await writeFile(join(folder, 'mill.md'), GUIDE.replace('## Stones', '## Two stones'));
  const renamed = await submitted(...sync);
  expect(renamed).toMatchObject({ stored: 1 });
  expect(renamed.reused).toBeGreaterThan(1);
  expect(renamed.chunks - renamed.reused).toBeGreaterThan(1);
});

test.each(['ndjson', 'parquet'])(
  'an export as %s keeps headings and pages when submitted again',
  async (format) => {
    const file = join(folder, `../${basename(folder)}.${format}`);
    await mill.cli('export', 'docs', '--to', file);
    const into = `again-${format}`;
    await mill.json('/api/v1/collections', { name: into });
    const { stdout } = await mill.cli('submit', file, '-c', into, '--wait', '--json');
    await rm(file);
    expect(JSON.parse(stdout)).toMatchObject({ documents: 6, stored: 6 });
    const documentsOf = async (collection: string) =>
      (await mill.json<{ documents: { id: string }[] }>(`/api/v1/collections/${collection}/documents`))
        .documents;
    const wholeOf = (collection: string, id: string) =>
      mill.json<{ text: string; structure?: object }>(
        `/api/v1/collections/${collection}/documents/${encodeURIComponent(id)}`,
      );
    for (const { id } of await documentsOf('docs')) {
      const { text, structure } = await wholeOf('docs', id);
      expect(structure).toBeDefined();
      expect(await wholeOf(into, id)).toMatchObject({ text, structure });
    }
  },
);

interface Row {
  id: string;
  text: string;
  chunk: number;
  chunks: number;
  start: number;
  end: number;
  dense: number[];
  structure?: DocumentStructure;
}

test('rows with vectors keep the structure of their texts when submitted with these vectors', async () => {
  const file = join(folder, `../${basename(folder)}-points.ndjson`);
  await mill.cli('export', 'docs', '--vectors', '--to', file);
  const lines = (await readFile(file, 'utf8')).trimEnd().split('\n');
  const rows = lines.map((line) => JSON.parse(line) as Row);
  expect(rows.length).toBeGreaterThan(10);
  for (const { id, text, start, structure } of rows) {
    const whole = await mill.json<{ text: string; structure: DocumentStructure }>(
      `/api/v1/collections/docs/documents/${encodeURIComponent(id)}`,
    );
    const above = whole.structure.sections?.findLast((section) => section.start <= start)?.headings;
    if (above !== undefined && above.length > 0)
      expect(structure?.sections).toEqual([{ start: 0, headings: above }]);
    for (const block of structure?.blocks ?? []) {
      const there = { start: block.start + start, end: block.end + start };
      expect(whole.structure.blocks?.some((one) => one.start <= there.start && there.end <= one.end)).toBe(
        true,
      );
      expect(block.end).toBeLessThanOrEqual(text.length);
    }
  }
  const again = rows.map(({ id, chunk, text, dense, structure }) => ({
    id: `${id}#${chunk}`,
    text,
    vector: dense,
    structure,
  }));
  await writeFile(file, again.map((row) => `${JSON.stringify(row)}\n`).join(''));
  await mill.json('/api/v1/collections', { name: 'points' });
  const { stdout } = await mill.cli('submit', file, '-c', 'points', '--wait', '--json');
  expect(JSON.parse(stdout)).toMatchObject({ documents: rows.length, stored: rows.length, tokens: 0 });
  for (const { id, text, structure } of again) {
    const path = `/api/v1/collections/points/documents/${encodeURIComponent(id)}`;
    expect(await mill.json<object>(path)).toMatchObject({ text, ...(structure && { structure }) });
  }
  const embedded = join(folder, `../${basename(folder)}-embedded.parquet`);
  await mill.cli('embed', join(folder, 'mill.md'), '--to', embedded);
  const made = await parquetReadObjects({ file: await asyncBufferFromFile(embedded) });
  const own = rows.filter(({ id }) => id.endsWith('mill.md'));
  expect(made.map(({ structure }) => JSON.parse(structure as string) as object)).toEqual(
    own.map(({ structure }) => structure),
  );
  for (const one of [file, embedded]) await rm(one);
});

test('parse prints what is understood of a file', async () => {
  const { stdout, code } = await mill.cli('parse', join(folder, 'guide.docx'), '--json');
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    document: {
      title: 'The river guide',
      metadata: { type: 'docx' },
      structure: { sections: expect.any(Array) },
    },
  });
  const failed = await mill.cli('parse', join(folder, 'scan.pdf'));
  expect(failed).toMatchObject({ code: 1, stderr: expect.stringContaining('document_scanned') });
});
