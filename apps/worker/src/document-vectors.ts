import {
  EmbedmillError,
  spokenText,
  unitVector,
  type Chunking,
  type Collection,
  type Document,
  type Shard,
} from '@embedmill/jobs';
import type { Stage } from '@embedmill/metrics';
import type { Chunk, ChunkedDocument } from '@embedmill/tokenization';
import type { EmbeddedChunk } from './embedded-chunk.ts';
import { excessOf } from './document-size.ts';
import { embedDrafts, type Draft, type DraftOutcome, type ShardModels } from './draft-vectors.ts';
import { embedPictures, hasPicture, type PictureSources, type SeenPicture } from './document-pictures.ts';
import { isFoundByNothing, unknownText, type ReadDraft } from './unknown-text.ts';
import type { StoredVectors } from './vector-hashes.ts';

export type EmbeddedDocument =
  /** `warnings` name the parts of the document that are in no chunk or in no vector. */
  { ok: true; chunks: EmbeddedChunk[]; warnings: EmbedmillError[] } | { ok: false; error: EmbedmillError };

const NO_CHUNKS: ChunkedDocument = { chunks: [], tokens: 0, truncated: false };

/**
 * Embeds documents as the collection's profile requires: the dense vectors from tokens or pictures by the collection's
 * model, the others from texts by other models or by counting. A `stored` vector that was computed from the same input
 * is reused. Rejects as encoders do, and with errors of pictures that may pass.
 *
 * @param stored the stored vectors of each document, if it has any
 */
export async function embedDocuments(
  shard: Shard,
  documents: readonly Document[],
  stored: readonly (StoredVectors | undefined)[],
  { own, get }: ShardModels,
  pictureSources: PictureSources,
  timed: <T>(stage: Stage, work: () => Promise<T>) => Promise<T>,
): Promise<EmbeddedDocument[]> {
  const { collection } = shard;
  const { chunking, video } = collection.profile;
  const texts = documents.filter((document) => !hasPicture(document) && document.vector === undefined);
  const chunked = (await timed('tokenize', () => own.chunk(texts, chunking))).values();
  const pictures = await timed('picture', () =>
    embedPictures(documents.map(toLookAt), shard, { video }, own.images, pictureSources),
  );
  const drafted = documents.map((document, n): DraftedDocument => {
    if (document.vector !== undefined)
      return draftPictures(document, [brought(document.vector, collection)], collection);
    const seen = pictures[n] ?? [];
    if (seen.length > 0) return draftPictures(document, seen, collection);
    return draftText(document, chunked.next().value ?? NO_CHUNKS, stored[n], collection);
  });
  const drafts = drafted.flatMap((document) => document.drafts);
  const outcomes = await timed('infer', () => embedDrafts(collection, drafts, { own, get }));
  let at = 0;
  return drafted.map((document) => {
    const from = at;
    at += document.drafts.length;
    return embeddedDocument(document, outcomes.slice(from, at), collection.profile.model);
  });
}

/** A document as drafts of its chunks; none if it has an error. */
interface DraftedDocument {
  drafts: Draft[];
  /** What was not embedded of the text. */
  message?: string | undefined;
  error?: EmbedmillError | undefined;
}

/** Each picture becomes a chunk with the whole text of its document. */
function draftPictures(
  document: Document,
  pictures: readonly SeenPicture[],
  collection: Collection,
): DraftedDocument {
  const chunk: Chunk = { ids: new Int32Array(), start: 0, end: document.text.length };
  const text = withTitle(document, chunk, collection.profile.chunking);
  const chunks = pictures.map(() => chunk);
  const error = excessOf(document, chunks, collection);
  if (error !== undefined) return { drafts: [], error };
  return { drafts: pictures.map((picture) => ({ chunk, text, picture, stored: undefined })) };
}

function draftText(
  document: Document,
  { chunks, message, error: unread }: ChunkedDocument,
  stored: StoredVectors | undefined,
  collection: Collection,
): DraftedDocument {
  const error = unread ?? excessOf(document, chunks, collection);
  if (error !== undefined) return { drafts: [], error };
  const drafts = chunks.map((chunk): Draft => ({
    chunk,
    text: withTitle(document, chunk, collection.profile.chunking),
    picture: undefined,
    stored,
  }));
  return { drafts, message };
}

/** A document fails with its first chunk that fails, or if no search could find any of its chunks. */
function embeddedDocument(
  { message, error }: DraftedDocument,
  outcomes: readonly DraftOutcome[],
  model: string,
): EmbeddedDocument {
  if (error !== undefined) return { ok: false, error };
  const read: ReadDraft[] = [];
  for (const outcome of outcomes) {
    if (!outcome.ok) return outcome;
    read.push(outcome);
  }
  const unknown = unknownText(read, model);
  if (unknown !== undefined && read.every(({ chunk }) => isFoundByNothing(chunk)))
    return { ok: false, error: unknown };
  const truncated = message === undefined ? undefined : new EmbedmillError('text_truncated', message);
  const warnings = [truncated, unknown].filter((one) => one !== undefined);
  return { ok: true, warnings, chunks: read.map(({ chunk }) => chunk) };
}

/** The pictures of a document with a vector of its own are not read. */
function toLookAt(document: Document): Document {
  return document.vector === undefined ? document : { ...document, image: undefined, video: undefined };
}

/** A vector submitted with its document is treated as a picture that was embedded elsewhere. */
function brought(numbers: readonly number[], { dims }: Collection): SeenPicture {
  const vector = unitVector(numbers, dims);
  if (vector instanceof Float32Array) return { outcome: { ok: true, vector }, timestamp: null };
  const message = `vector: ${vector.fault}`;
  return { outcome: { ok: false, error: new EmbedmillError('invalid_vector', message) }, timestamp: null };
}

/** The text of a chunk after its title and headings, as the dense model reads it. */
function withTitle({ title, text }: Document, { start, end, headings }: Chunk, chunking: Chunking): string {
  const structure = headings && {
    headings,
    apart: chunking.mode === 'tokens' && chunking.headings === false,
  };
  return spokenText({ title, text: text.slice(start, end), structure });
}
