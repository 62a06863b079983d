import { z } from 'zod';

/** Longer headings are truncated, because each of their chunks begins with them. */
export const MOST_HEADING_CHARACTERS = 200;
/** The largest file that is a document; a larger one is not parsed. */
export const MOST_FILE_BYTES = 128 * 1024 * 1024;
/** The limits of one document; together they stay below the values that a line may have. */
export const MOST_SECTIONS = 3000;
export const MOST_PAGES = 5000;
export const MOST_BLOCKS = 4000;
const MOST_LEVELS = 6;

const start = z.int().min(0).meta({ description: 'Its first character in the text, in UTF-16 units.' });

const sectionSchema = z.strictObject({
  start,
  headings: z
    .array(z.string().min(1).max(MOST_HEADING_CHARACTERS))
    .max(MOST_LEVELS)
    .meta({ description: 'The headings above it, outermost first, its own last.' }),
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
const inOrder = 'must be in order of their start';

/** The structure of a document's text. */
export const structureSchema = z
  .strictObject({
    sections: z
      .array(sectionSchema)
      .max(MOST_SECTIONS)
      .refine(ascending, inOrder)
      .optional()
      .meta({ description: 'Each section ends where the next one starts; no chunk spans two of them.' }),
    pages: z.array(pageSchema).max(MOST_PAGES).refine(ascending, inOrder).optional(),
    blocks: z
      .array(blockSchema)
      .max(MOST_BLOCKS)
      .refine(ascending, inOrder)
      .optional()
      .meta({ description: 'Tables and code: a chunk that ends inside one ends at a line break.' }),
  })
  .meta({
    id: 'DocumentStructure',
    description: 'The structure of the text: sections under headings, pages, tables and code.',
  });
export type DocumentStructure = z.infer<typeof structureSchema>;

/** The part of its document's structure that concerns a chunk. */
export interface ChunkStructure {
  /** The headings above it. */
  headings?: readonly string[];
  /** Whether these were withheld from the models. */
  apart?: boolean;
  /** For a text that was not divided into chunks: its sections, if it has several, in place of `headings`. */
  sections?: Section[];
  /** The pages that it is on; the first may have begun before it. */
  pages?: Page[];
  blocks?: Block[];
}

/** The part of a document's structure that concerns a chunk at these characters; undefined if there is none. */
export function chunkStructure(
  { sections = [], pages = [], blocks = [] }: DocumentStructure,
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
  // A text that was not divided, such as one submitted with its vector, was not given to a model with its headings.
  const under = headings === undefined ? partsOn(sections, from, to) : [];
  const [first] = under;
  if (under.length > 1) own.sections = under;
  else if (first !== undefined && first.start <= from && first.headings.length > 0) {
    own.headings = first.headings;
    own.apart = true;
  } else if (first !== undefined && first.headings.length > 0) own.sections = under;
  const on = partsOn(pages, from, to);
  if (on.length > 0) own.pages = on;
  const within = blocks.filter((block) => block.start < to && block.end > from);
  if (within.length > 0) own.blocks = within;
  return Object.keys(own).length === 0 ? undefined : own;
}

/** A document's structure, joined from its chunks. */
export function joinedStructure(
  chunks: readonly { start: number; structure?: ChunkStructure | undefined }[],
): DocumentStructure | undefined {
  if (chunks.every(({ structure }) => structure === undefined)) return undefined;
  const sections: Section[] = [];
  const pages = new Map<number, Page>();
  const blocks = new Map<number, Block>();
  for (const { start: at, structure: own = {} } of chunks) {
    for (const section of own.sections ?? [{ start: at, headings: [...(own.headings ?? [])] }]) {
      const last = sections.at(-1)?.headings ?? [];
      const isOther = JSON.stringify(last) !== JSON.stringify(section.headings);
      if (own.sections !== undefined || isOther) sections.push(section);
    }
    for (const page of own.pages ?? []) pages.set(page.start, page);
    for (const block of own.blocks ?? []) blocks.set(block.start, block);
  }
  return {
    ...(sections.length > 0 && { sections }),
    ...(pages.size > 0 && { pages: [...pages.values()] }),
    ...(blocks.size > 0 && { blocks: [...blocks.values()] }),
  };
}

/** The structure of a chunk's text, as if it were a document. */
export function ownStructure(
  chunk: ChunkStructure | undefined,
  { start: from, end }: { start: number; end: number },
): DocumentStructure | undefined {
  if (chunk === undefined) return undefined;
  const { headings = [], sections = headings.length === 0 ? [] : [{ start: from, headings }] } = chunk;
  const moved = (place: number): number => Math.min(Math.max(0, place - from), end - from);
  const pages = (chunk.pages ?? []).map(({ start, number }) => ({ start: moved(start), number }));
  const blocks = (chunk.blocks ?? []).map((one) => ({
    start: moved(one.start),
    end: moved(one.end),
    kind: one.kind,
  }));
  return {
    ...(sections.length > 0 && {
      sections: sections.map(({ start, headings: own }) => ({ start: moved(start), headings: [...own] })),
    }),
    ...(pages.length > 0 && { pages }),
    ...(blocks.length > 0 && { blocks }),
  };
}

/** The pages, or sections, that characters `from` to `to` are on: the first one may have begun before. */
function partsOn<Part extends { start: number }>(parts: readonly Part[], from: number, to: number): Part[] {
  return parts.filter(
    ({ start: at }, n) => at < Math.max(to, from + 1) && (parts[n + 1]?.start ?? Infinity) > from,
  );
}

/**
 * The text before a chunk: its document's title and the headings above it. A page's title is usually its first heading with
 * more text; of the two, only the one that contains the other is used.
 */
export function spokenHead(
  title: string | null | undefined,
  headings: readonly string[] = [],
): string | undefined {
  const whole = title ?? '';
  const [first = '', ...others] = headings;
  const isRepeated = says(whole, first) || says(first, whole);
  const path = !isRepeated ? [whole, ...headings] : [says(whole, first) ? whole : first, ...others];
  const parts = path.filter((part) => part.trim() !== '');
  return parts.length === 0 ? undefined : parts.join(' > ');
}

/** Whether a text contains all words of another in sequence. */
function says(whole: string, part: string): boolean {
  const words = wordsOf(part);
  return words !== '' && ` ${wordsOf(whole)} `.includes(` ${words} `);
}

function wordsOf(text: string): string {
  return (text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []).join(' ');
}
