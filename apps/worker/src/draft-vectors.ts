import type { Outcome } from '@embedmill/embed/pipeline';
import {
  SPARSE_SCHEMES,
  type Collection,
  type EmbedmillError,
  type SparseVector,
  type TokenVectors,
} from '@embedmill/jobs';
import { shortened } from '@embedmill/retrieval';
import { analyzerOf, bm25Document, bm42Document, topTerms } from '@embedmill/sparse-weighting';
import type { Chunk } from '@embedmill/tokenization';
import type { VectorHashes } from '@embedmill/vector-store';
import type { SeenPicture } from './document-pictures.ts';
import type { EmbeddedChunk } from './embedded-chunk.ts';
import type { ReadText } from './input-reader.ts';
import type { ServedModel } from './served-model.ts';
import { knowledgeOf, type ReadDraft } from './unknown-text.ts';
import { vectorHashes, type StoredVectors } from './vector-hashes.ts';

/** The models that a shard may need: that of its queue, and others by name, which are waited for. */
export interface ShardModels {
  own: ServedModel;
  get: (name: string) => Promise<ServedModel>;
}

/** A chunk on its way: of a text with its tokens, or of a picture with its outcome. */
export interface Draft {
  chunk: Chunk;
  /** What other models and schemes read of it, after the title. */
  text: string;
  picture: SeenPicture | undefined;
  /** The stored vectors of its document. */
  stored: StoredVectors | undefined;
}

export type DraftOutcome = ReadDraft | { ok: false; error: EmbedmillError };

/** A draft with the vectors that need not be computed. */
interface KnownDraft extends Draft {
  known: KnownVectors;
  /** Its text as the model of the second dense vector reads it. */
  otherText: ReadText | undefined;
}

/** The stored vectors of a chunk, by the hashes of what they are computed from. */
interface KnownVectors {
  hashes?: VectorHashes;
  dense?: Float32Array | undefined;
  other?: Float32Array | undefined;
  bm42?: { vector: SparseVector | undefined } | undefined;
  tokenVectors?: TokenVectors | undefined;
  splade?: { vector: SparseVector | undefined } | undefined;
}

/** The models from which a collection's vectors come. */
interface VectorModels {
  own: ServedModel;
  /** The model of the second dense vector, while the collection migrates. */
  other: ServedModel | undefined;
  splade: ServedModel | undefined;
  /** Whether the run for dense vectors also gives the weights for SPLADE. */
  isOwnSplade: boolean;
}

/** What models computed, by the draft; a draft that a model was not asked for is in none. */
interface Computed {
  dense: Map<KnownDraft, Outcome | undefined>;
  /** The places of tokens in the text, for BM42. */
  places: Map<KnownDraft, Int32Array | undefined>;
  other: Map<KnownDraft, Outcome | undefined>;
  splade: Map<KnownDraft, Outcome | undefined>;
}

/**
 * The vectors of each draft in four steps: the models that the profile needs; the vectors that are stored already; the
 * model runs for all others; and for each draft, everything put together.
 */
export async function embedDrafts(
  collection: Collection,
  drafts: readonly Draft[],
  shardModels: ShardModels,
): Promise<DraftOutcome[]> {
  const models = await modelsFor(collection, shardModels);
  const known = await withKnownVectors(collection, drafts, models);
  const computed = await computeMissing(collection, known, models);
  return known.map((draft) => outcomeOf(collection, draft, models, computed));
}

async function modelsFor({ profile, other }: Collection, { own, get }: ShardModels): Promise<VectorModels> {
  const { splade } = profile.sparse;
  const isOwnSplade = splade !== undefined && splade.model === own.name && own.weighsTokens;
  const [otherModel, spladeModel] = await Promise.all([
    other && get(other.model),
    splade && (isOwnSplade ? own : get(splade.model)),
  ]);
  return { own, other: otherModel, splade: spladeModel, isOwnSplade };
}

async function withKnownVectors(
  collection: Collection,
  drafts: readonly Draft[],
  models: VectorModels,
): Promise<KnownDraft[]> {
  const otherTexts = await models.other?.readDocuments(drafts.map(({ text }) => text));
  return drafts.map((draft, n) => {
    const otherText = otherTexts?.[n];
    return { ...draft, otherText, known: knownVectors(collection, draft, otherText, models) };
  });
}

function knownVectors(
  collection: Collection,
  { chunk: { ids }, text, picture, stored }: Draft,
  otherText: ReadText | undefined,
  { own, other, splade, isOwnSplade }: VectorModels,
): KnownVectors {
  if (picture !== undefined) return {};
  const revisions = { own: own.revision, other: other?.revision, splade: splade?.revision };
  const hashes = vectorHashes({ ids, text, otherIds: otherText?.ids }, collection, revisions);
  if (stored === undefined) return { hashes };
  const { profile } = collection;
  const bm42 = profile.sparse.bm42 && stored.sparse('bm42', hashes);
  const weighed = profile.sparse.splade && stored.sparse('splade', hashes);
  const tokenVectors = profile.lateInteraction && stored.tokens(hashes);
  // What comes of one run is computed together, or not at all.
  const isRunStored =
    (profile.sparse.bm42 === undefined || bm42 !== undefined) &&
    (!isOwnSplade || weighed !== undefined) &&
    (profile.lateInteraction === undefined || tokenVectors !== undefined);
  return {
    hashes,
    dense: isRunStored ? stored.dense(collection.vector, hashes) : undefined,
    other: collection.other && stored.dense(collection.other.name, hashes),
    bm42,
    tokenVectors,
    splade: weighed,
  };
}

async function computeMissing(
  { profile, dims }: Collection,
  drafts: readonly KnownDraft[],
  { own, other, splade, isOwnSplade }: VectorModels,
): Promise<Computed> {
  const { lateInteraction } = profile;
  const attention = profile.sparse.bm42 !== undefined;
  const unembedded = drafts.filter(
    ({ picture, known }) => picture === undefined && known.dense === undefined,
  );
  const sequences = unembedded.map(({ chunk: { ids }, text }) => ({ ids, text }));
  const withoutOther = drafts.filter(({ known }) => known.other === undefined);
  const unweighed = drafts.filter(
    ({ picture, known }) => known.splade === undefined && !(isOwnSplade && picture === undefined),
  );
  const [dense, places, others, weighed] = await Promise.all([
    own.embed(sequences, {
      attention,
      lexical: isOwnSplade,
      tokenVectors: lateInteraction && { dims, ...lateInteraction },
    }),
    attention ? own.offsets(sequences) : undefined,
    other?.embedRead(withoutOther.flatMap(({ otherText }) => otherText ?? [])),
    splade?.weighTexts(unweighed.map(({ text }) => text)),
  ]);
  return {
    dense: byDraft(unembedded, dense),
    places: byDraft(unembedded, places),
    other: byDraft(withoutOther, others),
    splade: byDraft(unweighed, weighed),
  };
}

function byDraft<T>(
  drafts: readonly KnownDraft[],
  results: readonly T[] = [],
): Map<KnownDraft, T | undefined> {
  return new Map(drafts.map((draft, n) => [draft, results[n]]));
}

function outcomeOf(
  collection: Collection,
  draft: KnownDraft,
  { own, isOwnSplade }: VectorModels,
  computed: Computed,
): DraftOutcome {
  const { chunk, text, picture, known } = draft;
  const dense = denseOutcome(draft, computed);
  const other: Outcome | undefined =
    known.other === undefined ? computed.other.get(draft) : { ok: true, vector: known.other };
  // A picture has no words unless it was given some.
  const weighed = text === '' ? undefined : computed.splade.get(draft);
  for (const one of [dense, other, weighed]) if (one?.ok === false) return one;
  if (dense?.ok !== true) throw new RangeError('there are fewer outcomes than chunks');

  const isOwnRun = isOwnSplade && picture === undefined && dense.lexical !== undefined;
  const terms = isOwnRun ? own.termsOf(chunk, dense) : weighed?.ok === true ? weighed.sparse : undefined;
  const sparse = sparseVectors({
    bm25: bm25Of(collection, text),
    bm42: known.bm42?.vector ?? bm42Of(collection, text, dense, computed.places.get(draft)),
    splade: known.splade?.vector ?? spladeOf(collection, terms),
  });
  return {
    ok: true,
    knowledge: knowledgeOf(dense.vector, picture !== undefined || own.knows(chunk)),
    chunk: {
      start: chunk.start,
      end: chunk.end,
      headings: chunk.headings,
      tokens: known.dense === undefined ? chunk.ids.length : 0,
      hashes: known.hashes,
      reused: known.dense !== undefined,
      sparse,
      timestamp: picture?.timestamp ?? null,
      dense: shortened(dense.vector, collection.dims),
      tokenVectors: dense.tokenVectors,
      other:
        collection.other && other?.ok === true ? shortened(other.vector, collection.other.dims) : undefined,
    },
  };
}

function denseOutcome(draft: KnownDraft, { dense }: Computed): Outcome | undefined {
  const { picture, known } = draft;
  if (known.dense !== undefined) return { ok: true, vector: known.dense, tokenVectors: known.tokenVectors };
  return picture === undefined ? dense.get(draft) : picture.outcome;
}

function sparseVectors(vectors: {
  [Scheme in (typeof SPARSE_SCHEMES)[number]]: SparseVector | undefined;
}): EmbeddedChunk['sparse'] {
  const sparse: EmbeddedChunk['sparse'] = {};
  for (const scheme of SPARSE_SCHEMES) {
    const vector = vectors[scheme];
    if (vector !== undefined) sparse[scheme] = vector;
  }
  return sparse;
}

/** The average length that BM25 uses if none was measured, as for jobs older than the measuring. */
const UNMEASURED_LENGTH = 100;

function bm25Of({ profile, averageLength, analysis }: Collection, text: string): SparseVector | undefined {
  const { bm25 } = profile.sparse;
  if (bm25 === undefined) return undefined;
  const average = bm25.averageLength ?? averageLength ?? UNMEASURED_LENGTH;
  return bm25Document(text, analyzerOf(bm25.language, analysis), bm25, average);
}

function bm42Of(
  { profile, analysis }: Collection,
  text: string,
  { attention }: Extract<Outcome, { ok: true }>,
  places: Int32Array | undefined,
): SparseVector | undefined {
  const { bm42 } = profile.sparse;
  if (bm42 === undefined || attention === undefined || places === undefined) return undefined;
  return bm42Document(text, places, attention, analyzerOf(bm42.language, analysis));
}

function spladeOf({ profile }: Collection, terms: SparseVector | undefined): SparseVector | undefined {
  const { splade } = profile.sparse;
  if (splade === undefined || terms === undefined || terms.indices.length === 0) return undefined;
  return topTerms(terms, splade.maxTerms);
}
