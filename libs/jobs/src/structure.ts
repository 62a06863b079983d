import { z } from 'zod';

/** Longer headings are cut: they stand in front of each of their chunks. */
export const MOST_HEADING_CHARACTERS = 200;
/** Of a file that is a document: a larger one goes to no parser. */
export const MOST_FILE_BYTES = 128 * 1024 * 1024;
/** Of one document; together they stay below what a line may have of values. */
export const MOST_SECTIONS = 3000;
export const MOST_PAGES = 5000;
export const MOST_BLOCKS = 4000;
const MOST_LEVELS = 6;

const start = z.int().min(0).meta({ description: 'Its first character in the text (UTF-16 units).' });

const sectionSchema = z.strictObject({
  start,
  headings: z
    .array(z.string().min(1).max(MOST_HEADING_CHARACTERS))
    .max(MOST_LEVELS)
    .meta({ description: 'The headings that it stands under, the outermost first, its own last.' }),
});
export type Section = z.infer<typeof sectionSchema>;

export const pageSchema = z.strictObject({ start, number: z.int().min(1) });
export type Page = z.infer<typeof pageSchema>;

const blockSchema = z.strictObject({
  start,
  end: z.int().min(1).meta({ description: 'One past its last character.' }),
  kind: z.enum(['table', 'code']),
});
export type Block = z.infer<typeof blockSchema>;

const ascending = (places: readonly { start: number }[]): boolean =>
  places.every(({ start: at }, n) => at >= (places[n - 1]?.start ?? 0));
const inOrder = 'must be in the order in which they start';

/** How a document's text is built. */
export const structureSchema = z
  .strictObject({
    sections: z
      .array(sectionSchema)
      .max(MOST_SECTIONS)
      .refine(ascending, inOrder)
      .optional()
      .meta({ description: 'Each ends where the next one starts; no chunk lies in two of them.' }),
    pages: z.array(pageSchema).max(MOST_PAGES).refine(ascending, inOrder).optional(),
    blocks: z
      .array(blockSchema)
      .max(MOST_BLOCKS)
      .refine(ascending, inOrder)
      .optional()
      .meta({ description: 'Tables and code: a chunk that ends in one ends with a line of it.' }),
  })
  .meta({
    id: 'DocumentStructure',
    description: 'How the text is built: sections under headings, pages, tables and code.',
  });
export type DocumentStructure = z.infer<typeof structureSchema>;

/** What a chunk has of its document's structure. */
export interface ChunkStructure {
  /** Those that it stands under. */
  headings?: readonly string[];
  /** Whether these were not given to the models. */
  apart?: boolean;
  /** Those that it is on: the first may have begun before it. */
  pages?: Page[];
  blocks?: Block[];
}

/** What a chunk at these characters has of a document's structure; undefined where that is nothing. */
export function chunkStructure(
  { pages = [], blocks = [] }: DocumentStructure,
  {
    start: from,
    end: to,
    headings,
  }: { start: number; end: number; headings?: readonly string[] | undefined },
  { headings: areSpoken = true }: { headings?: boolean | undefined } = {},
): ChunkStructure | undefined {
  const own: ChunkStructure = {};
  if (headings !== undefined) own.headings = headings;
  if (headings !== undefined && !areSpoken) own.apart = true;
  const on = pagesOf(pages, from, to);
  if (on.length > 0) own.pages = on;
  const within = blocks.filter((block) => block.start < to && block.end > from);
  if (within.length > 0) own.blocks = within;
  return Object.keys(own).length === 0 ? undefined : own;
}

/** A document's structure, put together from its chunks'. */
export function joinedStructure(
  chunks: readonly { start: number; structure?: ChunkStructure | undefined }[],
): DocumentStructure | undefined {
  if (chunks.every(({ structure }) => structure === undefined)) return undefined;
  const sections: Section[] = [];
  const pages = new Map<number, Page>();
  const blocks = new Map<number, Block>();
  for (const { start: at, structure: own = {} } of chunks) {
    const headings = [...(own.headings ?? [])];
    const last = sections.at(-1)?.headings ?? [];
    if (JSON.stringify(last) !== JSON.stringify(headings)) sections.push({ start: at, headings });
    for (const page of own.pages ?? []) pages.set(page.start, page);
    for (const block of own.blocks ?? []) blocks.set(block.start, block);
  }
  return {
    ...(sections.length > 0 && { sections }),
    ...(pages.size > 0 && { pages: [...pages.values()] }),
    ...(blocks.size > 0 && { blocks: [...blocks.values()] }),
  };
}

/** The pages that characters `from` to `to` are on: the first one may have begun before. */
function pagesOf(pages: readonly Page[], from: number, to: number): Page[] {
  return pages.filter(
    ({ start: at }, n) => at < Math.max(to, from + 1) && (pages[n + 1]?.start ?? Infinity) > from,
  );
}

/** What is read in front of a chunk: its document's title, and the headings that it stands under. */
export function spokenHead(
  title: string | null | undefined,
  headings: readonly string[] = [],
): string | undefined {
  const [first, ...others] = headings;
  // A page's title mostly is its first heading, too.
  const below = first !== undefined && first.trim() === title?.trim() ? others : headings;
  const parts = [title ?? '', ...below].filter((part) => part.trim() !== '');
  return parts.length === 0 ? undefined : parts.join(' > ');
}
