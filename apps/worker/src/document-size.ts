import { EmbedmillError, type Collection, type Document, type Profile } from '@embedmill/jobs';
import type { Chunk } from '@embedmill/tokenization';

const MIB = 1024 * 1024;
/** The most bytes of a document's payloads: its text once, and title and metadata with each chunk. */
const MOST_PAYLOAD_BYTES = 64 * MIB;
/** The most bytes of its vectors, except sparse ones. Together, a write of one document fits into any store's largest message. */
const MOST_VECTOR_BYTES = 128 * MIB;
/** Further bytes of a payload: ids, positions, hashes. */
const BYTES_A_CHUNK = 400;

/** Why a document with these chunks is too large to store (`document_too_large`); undefined if it is not. Pure. */
export function excessOf(
  { text, title, metadata }: Document,
  chunks: readonly (Pick<Chunk, 'start' | 'end'> & Partial<Pick<Chunk, 'ids' | 'headings'>>)[],
  {
    dims,
    other,
    profile,
  }: Pick<Collection, 'dims' | 'other'> & { profile: Pick<Profile, 'lateInteraction'> },
): EmbedmillError | undefined {
  const count = chunks.length;
  const characters = chunks.reduce((sum, { start, end }) => sum + end - start, 0);
  const textBytes = text === '' ? 0 : Buffer.byteLength(text) * (characters / text.length);
  const metadataBytes = Buffer.byteLength(JSON.stringify(metadata));
  const headingBytes = chunks.reduce((sum, { headings = [] }) => sum + 3 * headings.join('').length, 0);
  const payload =
    textBytes + headingBytes + count * (metadataBytes + Buffer.byteLength(title ?? '') + BYTES_A_CHUNK);
  if (payload > MOST_PAYLOAD_BYTES) {
    const message = `its ${count} chunks would take ${megabytes(payload)} in the store, more than the allowed ${megabytes(MOST_PAYLOAD_BYTES)}, because its metadata (${metadataBytes} bytes) and title are stored with each chunk; make the metadata smaller or the chunks larger, or split the document`;
    return new EmbedmillError('document_too_large', message);
  }
  const tokens = chunks.reduce((sum, { ids }) => sum + (ids?.length ?? 0), 0);
  const { lateInteraction } = profile;
  const tokenBytes = lateInteraction === undefined ? 0 : (dims * tokens) / lateInteraction.poolFactor;
  const vectors = count * 4 * (dims + (other?.dims ?? 0)) + tokenBytes;
  if (vectors > MOST_VECTOR_BYTES) {
    const message = `the vectors of its ${count} chunks would take ${megabytes(vectors)}, more than the allowed ${megabytes(MOST_VECTOR_BYTES)}; make the chunks larger, or split the document`;
    return new EmbedmillError('document_too_large', message);
  }
  return undefined;
}

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / MIB)} MiB`;
}
