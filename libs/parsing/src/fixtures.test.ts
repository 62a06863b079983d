import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseFile } from './parse.ts';

/** Files written by real programs (fixtures/README.md). They are recognised by content, not by name. */
const parsed = async (fixture: string) =>
  parseFile({ bytes: await readFile(join(import.meta.dirname, '../fixtures', fixture)), name: 'file' });

async function outlineOf(fixture: string): Promise<string[]> {
  const { structure } = await parsed(fixture);
  return (structure.sections ?? []).map(({ headings }) => headings.join(' > '));
}

const OUTLINE = [
  'The river guide',
  'The river guide > Before you go',
  'The river guide > Before you go > Weather',
  'The river guide > Ferries',
  'The river guide > Words',
];

test.each(['docx', 'odt', 'pdf', 'html'])(
  'a guide as %s has its headings, lists and tables',
  async (kind) => {
    const { title, text, metadata, structure } = await parsed(`guide.${kind}`);
    expect({ title, metadata }).toMatchObject({
      title: 'The river guide',
      metadata: { type: kind, author: 'Ada Field' },
    });
    expect(await outlineOf(`guide.${kind}`)).toEqual(OUTLINE);
    for (const { start, headings } of structure.sections ?? [])
      expect(text.slice(start)).toMatch(new RegExp(`^${headings.at(-1)}\n`));
    expect(text).toContain('- boots that have been worn before\n- a map of the valley\n- a whistle');
    expect(text).toContain('the efficient walker carries water for half a day.');
    expect(text).toContain('Grüße, naïve');
    const tables = (structure.blocks ?? []).map(({ start, end }) => text.slice(start, end));
    expect(tables).toEqual([expect.stringContaining('| 3 crowns\n')]);
  },
);

test('tables of Office and OpenDocument are rows of cells', async () => {
  for (const kind of ['docx', 'odt'])
    expect((await parsed(`guide.${kind}`)).text).toContain(
      'Ferry | Runs from | Fare\nOldham | April | 3 crowns\nSaltgate | May | 5 crowns',
    );
  for (const kind of ['xlsx', 'ods'])
    expect(await parsed(`fares.${kind}`)).toMatchObject({
      text: 'fares\n\nFerry | Runs from | Fare\nOldham | April | 3\nSaltgate | May | 5',
      structure: { sections: [{ start: 0, headings: ['fares'] }] },
    });
});

test('a PDF in columns is read column after column, words put together, without what repeats at its edges', async () => {
  const { title, text, metadata, structure } = await parsed('columns.pdf');
  expect({ title, metadata }).toMatchObject({ title: 'Ferries in two columns', metadata: { pages: 5 } });
  expect(await outlineOf('columns.pdf')).toEqual([
    'Boats',
    'Waiting',
    'Fares',
    'Winter',
    'History',
    'Lights',
  ]);
  expect(text).not.toMatch(/River Gazette|Page \d/);
  expect(text).not.toMatch(/\p{Ll}- ?\p{Ll}/u);
  const source = await readFile(join(import.meta.dirname, '../fixtures/columns.fodt'), 'utf8');
  const paragraphs = [...source.matchAll(/<text:p text:style-name="Body">(.*?)<\/text:p>/g)].map(
    ([, one]) => one!,
  );
  expect(paragraphs).toHaveLength(24);
  const places = paragraphs.map((paragraph) => text.indexOf(paragraph));
  expect(places).not.toContain(-1);
  expect(places).toEqual(places.toSorted((a, b) => a - b));
  expect(structure.pages?.map(({ number }) => number)).toEqual([1, 2, 3, 4, 5]);
});

test.each(['pptx', 'odp'])('slides as %s are pages, with their titles as headings', async (kind) => {
  expect(await parsed(`slides.${kind}`)).toMatchObject({
    title: 'Rivers',
    text: 'Rivers\n\n- Three of them\n- All cold\n\nFerries\n\n- Ring twice\n- Pay on the boat',
    structure: {
      sections: [{ headings: ['Rivers'] }, { headings: ['Ferries'] }],
      pages: [
        { start: 0, number: 1 },
        { start: 36, number: 2 },
      ],
    },
    metadata: { type: kind, pages: 2 },
  });
});

test('a book is its chapters, in the order of its spine', async () => {
  expect(await parsed('book.epub')).toMatchObject({
    title: 'The river book',
    text: 'Boats\n\nThe first chapter is about boats.\n\nBanks\n\nThe second one is about banks.',
    metadata: { type: 'epub', author: 'Ada Field', language: 'en', created: '2024-05-01T00:00:00.000Z' },
  });
});

test('a message is its text, with who wrote it to whom', async () => {
  expect(await parsed('message.eml')).toMatchObject({
    title: 'The ferry of März',
    text: 'Ferry\n\nIt runs from März on.\n\n- Attachment: fares.pdf',
    metadata: {
      type: 'email',
      from: 'Ada Field <ada@example.org>',
      to: ['Ben <ben@example.org>', 'mill@example.org'],
      created: '2024-03-01T09:00:00.000Z',
    },
  });
});

test.each([
  ['locked.pdf', 'document_encrypted'],
  ['scan.pdf', 'document_scanned'],
])('%s is said to be so', async (fixture, code) => {
  await expect(parsed(fixture)).rejects.toMatchObject({ code });
});
