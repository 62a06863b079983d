import type { Outcome } from '@embedmill/embed/pipeline';
import {
  EmbedmillError,
  spokenText,
  unitVector,
  type Chunking,
  type Collection,
  type Document,
  type Shard,
  type SparseVector,
  type TokenVectors,
} from '@embedmill/jobs';
import type { Stage } from '@embedmill/metrics';
import { shortened } from '@embedmill/retrieval';
import { analyzerOf, bm25Document, bm42Document, topTerms } from '@embedmill/sparse-weighting';
import type { Chunk, ChunkedDocument } from '@embedmill/tokenization';
import type { VectorHashes } from '@embedmill/vector-store';
import type { EmbeddedChunk } from './embedded-chunk.ts';
import { excessOf } from './document-size.ts';
import { embedPictures, hasPicture, type PictureSources, type SeenPicture } from './document-pictures.ts';
import type { ServedModel } from './served-model.ts';
import { isFoundByNothing, knowledgeOf, unknownText, type ReadDraft } from './unknown-text.ts';
import { vectorHashes, type StoredVectors } from './vector-hashes.ts';

export type EmbeddedDocument =
  /** `warnings` say what of the document is in no chunk, and what is in no vector. */
  { ok: true; chunks: EmbeddedChunk[]; warnings: EmbedmillError[] } | { ok: false; error: EmbedmillError };

/** The models that a shard may need: that of its queue, and by their names others, which are waited for. */
export interface ShardModels {
  own: ServedModel;
  get: (name: string) => Promise<ServedModel>;
}

const NO_CHUNKS: ChunkedDocument = { chunks: [], tokens: 0, truncated: false };

/** What BM25 weighs by where nothing was measured, as when a job is older than the measuring. */
const UNMEASURED_LENGTH = 100;

/** A chunk on its way: of a text with its tokens, of a picture with what it gave. */
interface Draft {
  chunk: Chunk;
  /** What other models and schemes read of it; the title stands in front. */
  text: string;
  picture: SeenPicture | undefined;
  /** What is stored of its document's vectors. */
  stored: StoredVectors | undefined;
}

/**
 * The vectors of each document, as the collection's profile wants them: from tokens or pictures what the collection's
 * model gives, from texts what other models give and what is counted in them. What is computed from the same as a vector
 * that is `stored` (of each document, where it is) is taken from there. Rejects as encoders do, and with errors of
 * pictures that may pass.
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
  const read = documents.map((document, n): ChunkedDocument & { drafts: Draft[] } => {
    const seen = document.vector === undefined ? (pictures[n] ?? []) : [brought(document.vector, collection)];
    if (seen.length > 0) {
      const chunk = { ids: new Int32Array(), start: 0, end: document.text.length };
      const drafts = seen.map((picture): Draft => ({
        chunk,
        text: withTitle(document, chunk, chunking),
        picture,
        stored: undefined,
      }));
      const error = excessOf(
        document,
        drafts.map(() => chunk),
        collection,
      );
      return error === undefined ? { ...NO_CHUNKS, drafts } : { ...NO_CHUNKS, drafts: [], error };
    }
    const own = chunked.next().value ?? NO_CHUNKS;
    const error = own.error ?? excessOf(document, own.chunks, collection);
    if (error !== undefined) return { ...NO_CHUNKS, drafts: [], error };
    const drafts = own.chunks.map((chunk) => ({
      chunk,
      text: withTitle(document, chunk, chunking),
      picture: undefined,
      stored: stored[n],
    }));
    return { ...own, drafts };
  });
  const drafts = read.flatMap((document) => document.drafts);
  const embedded = await timed('infer', () => embedDrafts(collection, drafts, { own, get }));
  let at = 0;
  return read.map(({ drafts: { length }, message, error }): EmbeddedDocument => {
    if (error !== undefined) return { ok: false, error };
    const own = embedded.slice(at, at + length);
    at += length;
    const failed = own.find((outcome) => !outcome.ok);
    if (failed !== undefined && !failed.ok) return failed;
    const read = own.flatMap((outcome) => (outcome.ok ? outcome : []));
    const unknown = unknownText(read, collection.profile.model);
    if (unknown !== undefined && read.every(({ chunk }) => isFoundByNothing(chunk)))
      return { ok: false, error: unknown };
    const truncated = message === undefined ? undefined : new EmbedmillError('text_truncated', message);
    const warnings = [truncated, unknown].filter((one) => one !== undefined);
    return { ok: true, warnings, chunks: read.map(({ chunk }) => chunk) };
  });
}

/** A document that brought its vector is not looked at. */
function toLookAt(document: Document): Document {
  return document.vector === undefined ? document : { ...document, image: undefined, video: undefined };
}

/** A vector that came with its document, as a picture that was embedded elsewhere. */
function brought(numbers: readonly number[], { dims }: Collection): SeenPicture {
  const vector = unitVector(numbers, dims);
  if (vector instanceof Float32Array) return { outcome: { ok: true, vector }, timestamp: null };
  const message = `vector: ${vector.fault}`;
  return { outcome: { ok: false, error: new EmbedmillError('invalid_vector', message) }, timestamp: null };
}

type DraftOutcome = ReadDraft | { ok: false; error: EmbedmillError };

async function embedDrafts(
  collection: Collection,
  drafts: readonly Draft[],
  { own, get }: ShardModels,
): Promise<DraftOutcome[]> {
  const { profile, dims, other, averageLength, analysis, vector } = collection;
  const { bm25, bm42, splade } = profile.sparse;
  const { lateInteraction } = profile;
  // A model that weighs its tokens gives its sparse vectors in the run of its dense ones.
  const isOwn = splade !== undefined && splade.model === own.name && own.weighsTokens;
  const [otherModel, spladeModel] = await Promise.all([
    other && get(other.model),
    splade && (isOwn ? own : get(splade.model)),
  ]);
  const revisions = {
    own: own.revision,
    other: otherModel?.revision,
    splade: spladeModel?.revision,
  };
  const read = await otherModel?.readDocuments(drafts.map(({ text }) => text));
  const known = drafts.map(({ chunk: { ids }, text, picture, stored }, n): KnownChunk => {
    if (picture !== undefined) return {};
    const hashes = vectorHashes({ ids, text, otherIds: read?.[n]?.ids }, collection, revisions);
    if (stored === undefined) return { hashes };
    const terms = bm42 && stored.sparse('bm42', hashes);
    const weighed = splade && stored.sparse('splade', hashes);
    const tokenVectors = lateInteraction && stored.tokens(hashes);
    // What comes of one run is computed together, or not at all.
    const isWhole =
      (bm42 === undefined || terms !== undefined) &&
      (!isOwn || weighed !== undefined) &&
      (lateInteraction === undefined || tokenVectors !== undefined);
    const dense = isWhole ? stored.dense(vector, hashes) : undefined;
    const second = other && stored.dense(other.name, hashes);
    return { hashes, dense, bm42: terms, tokenVectors, other: second, splade: weighed };
  });
  const written = drafts.flatMap(({ chunk: { ids }, text, picture }, n) =>
    picture === undefined && known[n]?.dense === undefined ? { ids, text } : [],
  );
  const isWeighed = ({ picture }: Draft, n: number) =>
    known[n]?.splade !== undefined || (isOwn && picture === undefined);
  const textsWithout = drafts.flatMap((draft, n) => (isWeighed(draft, n) ? [] : draft.text));
  const readWithout = read?.filter((_, n) => known[n]?.other === undefined) ?? [];
  const attention = bm42 !== undefined;
  const [outcomes, offsets, others, terms] = await Promise.all([
    own
      .embed(written, {
        attention,
        lexical: isOwn,
        tokenVectors: lateInteraction && { dims, ...lateInteraction },
      })
      .then((all) => all.values()),
    attention ? own.offsets(written).then((all) => all.values()) : undefined,
    otherModel?.embedRead(readWithout).then((all) => all.values()),
    spladeModel?.weighTexts(textsWithout).then((all) => all.values()),
  ]);
  return drafts.map((draft, n): DraftOutcome => {
    const { chunk, text, picture } = draft;
    const { hashes, dense, bm42: words, tokenVectors, other: stored, splade: weighed } = known[n] ?? {};
    const outcome: Outcome | undefined =
      dense === undefined
        ? picture === undefined
          ? outcomes.next().value
          : picture.outcome
        : { ok: true, vector: dense, tokenVectors };
    const places = picture === undefined && dense === undefined ? offsets?.next().value : undefined;
    const second: Outcome | undefined =
      stored === undefined ? others?.next().value : { ok: true, vector: stored };
    const found = isWeighed(draft, n) ? undefined : terms?.next().value;
    // A picture has no words unless it was given some.
    const term = text === '' ? undefined : found;
    for (const one of [outcome, second, term]) if (one?.ok === false) return one;
    if (outcome?.ok !== true) throw new RangeError('there are fewer outcomes than chunks');
    const sparse: EmbeddedChunk['sparse'] = {};
    if (bm25 !== undefined) {
      const average = bm25.averageLength ?? averageLength ?? UNMEASURED_LENGTH;
      sparse.bm25 = bm25Document(text, analyzerOf(bm25.language, analysis), bm25, average);
    }
    if (words?.vector !== undefined) sparse.bm42 = words.vector;
    else if (bm42 !== undefined && outcome.attention !== undefined && places !== undefined) {
      sparse.bm42 = bm42Document(text, places, outcome.attention, analyzerOf(bm42.language, analysis));
    }
    const isRun = isOwn && picture === undefined && outcome.lexical !== undefined;
    const weights = isRun ? own.termsOf(chunk, outcome) : term?.ok === true ? term.sparse : undefined;
    if (weighed?.vector !== undefined) sparse.splade = weighed.vector;
    else if (splade !== undefined && weights !== undefined && weights.indices.length > 0) {
      sparse.splade = topTerms(weights, splade.maxTerms);
    }
    return {
      ok: true,
      knowledge: knowledgeOf(outcome.vector, picture !== undefined || own.knows(chunk)),
      chunk: {
        start: chunk.start,
        end: chunk.end,
        headings: chunk.headings,
        tokens: dense === undefined ? chunk.ids.length : 0,
        hashes,
        reused: dense !== undefined,
        sparse,
        timestamp: picture?.timestamp ?? null,
        dense: shortened(outcome.vector, dims),
        tokenVectors: outcome.tokenVectors,
        other: other && second?.ok === true ? shortened(second.vector, other.dims) : undefined,
      },
    };
  });
}

/** What is stored of a chunk's vectors, and what they are computed from. */
interface KnownChunk {
  hashes?: VectorHashes;
  dense?: Float32Array | undefined;
  other?: Float32Array | undefined;
  bm42?: { vector: SparseVector | undefined } | undefined;
  tokenVectors?: TokenVectors | undefined;
  splade?: { vector: SparseVector | undefined } | undefined;
}

/** What a chunk says, with the title and the headings in front, as the dense model reads it. */
function withTitle({ title, text }: Document, { start, end, headings }: Chunk, chunking: Chunking): string {
  const structure = headings && {
    headings,
    apart: chunking.mode === 'tokens' && chunking.headings === false,
  };
  return spokenText({ title, text: text.slice(start, end), structure });
}
