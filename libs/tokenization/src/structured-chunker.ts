import { spokenHead, type Block, type Chunking, type DocumentStructure } from '@embedmill/jobs';
import { chunkDocuments, type Chunk, type ChunkableDocument, type ChunkedDocument } from './chunker.ts';
import type { Tokenizer } from './tokenizer.ts';

export interface StructuredDocument extends ChunkableDocument {
  structure?: DocumentStructure | undefined;
}

/** A section with less text than this after its heading is not a separate chunk: it is joined with the next one. */
const LEAST_CHARACTERS = 40;

/** A part of a document that is cut separately. */
interface Part {
  start: number;
  text: string;
  headings: readonly string[] | undefined;
  blocks: readonly Block[] | undefined;
}

/**
 * Like `chunkDocuments`, for documents with a known structure: no chunk spans two sections, a chunk that ends in a
 * table or in code ends with a line of it, and the headings above a chunk precede it like the title, unless `chunking`
 * disables that. Each section is cut separately, so an edit moves no border in another section.
 */
export async function chunkStructured(
  tokenizer: Tokenizer,
  documents: readonly StructuredDocument[],
  chunking: Chunking,
): Promise<ChunkedDocument[]> {
  const isSpoken = chunking.mode === 'tokens' && chunking.headings !== false;
  const parts = documents.map((document) => partsOf(document, chunking));
  const chunkable = documents.flatMap(({ title }, n) =>
    (parts[n] ?? []).map(({ text, headings, blocks }) => ({
      text,
      title: isSpoken && headings !== undefined ? spokenHead(title, headings) : title,
      blocks,
    })),
  );
  const chunked = (await chunkDocuments(tokenizer, chunkable, chunking)).values();
  return parts.map((own) => joined(own.flatMap((part) => withPlaces(part, chunked.next().value))));
}

function withPlaces(part: Part, chunked: ChunkedDocument | undefined): ChunkedDocument[] {
  if (chunked === undefined) return [];
  const { start: offset, headings } = part;
  if (headings === undefined) return [chunked];
  const chunks = chunked.chunks.map(({ ids, start, end }): Chunk => {
    const place = { ids, start: start + offset, end: end + offset };
    return headings.length === 0 ? place : { ...place, headings };
  });
  // Headings that do not fit are left out; they are also in the text.
  const { tokens, error } = chunked;
  return [{ chunks, tokens, truncated: false, ...(error !== undefined && { error }) }];
}

function joined(parts: readonly ChunkedDocument[]): ChunkedDocument {
  const [first] = parts;
  if (first !== undefined && parts.length === 1) return first;
  const error = parts.find((part) => part.error !== undefined)?.error;
  if (error !== undefined) return { chunks: [], tokens: 0, truncated: false, error };
  const tokens = parts.reduce((sum, part) => sum + part.tokens, 0);
  return { chunks: parts.flatMap(({ chunks }) => chunks), tokens, truncated: false };
}

/** The separately cut parts of a document: only one if its sections are unknown. */
function partsOf({ text, structure }: StructuredDocument, { mode }: Chunking): Part[] {
  const { sections = [], blocks } = structure ?? {};
  if (mode === 'document' || sections.length === 0)
    return [{ start: 0, text, headings: undefined, blocks: mode === 'document' ? undefined : blocks }];
  const places = [{ start: 0, headings: [] as readonly string[] }, ...sections];
  const parts: Part[] = [];
  let from = 0;
  for (const [n, { headings }] of places.entries()) {
    const end = Math.min(places[n + 1]?.start ?? text.length, text.length);
    const own = text.slice(from, end).trim();
    const least = (headings.at(-1)?.length ?? 0) + LEAST_CHARACTERS;
    const isLast = n === places.length - 1;
    if (own === '' || (n > 0 && !isLast && own.length < least)) {
      if (own === '') from = Math.max(from, end);
      continue;
    }
    parts.push({ start: from, text: text.slice(from, end), headings, blocks: blocksIn(blocks, from, end) });
    from = end;
  }
  return parts.length === 0 ? [{ start: 0, text, headings: [], blocks }] : parts;
}

function blocksIn(
  blocks: readonly Block[] | undefined,
  from: number,
  to: number,
): readonly Block[] | undefined {
  const own = blocks?.filter(({ start, end }) => start < to && end > from);
  return own?.map(({ start, end, kind }) => ({ start: start - from, end: end - from, kind }));
}
