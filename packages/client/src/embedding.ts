import type { CallOptions, Connection } from './connection.ts';

export interface EmbedOptions extends CallOptions {
  /** A dense model; all-MiniLM-L6-v2 by default. */
  model?: string;
  /** The role of the texts; some models embed queries and documents differently. */
  role?: 'query' | 'document';
  /** A smaller vector size, if the model was trained for it. */
  dimensions?: number;
}

const DEFAULT_MODEL = 'all-MiniLM-L6-v2';
/** The most texts of one request. */
const MOST_INPUTS = 2048;
const BYTES_A_NUMBER = 4;

/** Embeds texts immediately, ahead of bulk jobs; returns a vector of length 1 for each. */
export async function embed(
  server: Connection,
  texts: readonly string[],
  { model = DEFAULT_MODEL, role, dimensions, signal }: EmbedOptions = {},
): Promise<Float32Array[]> {
  const vectors: Float32Array[] = [];
  for (let from = 0; from < texts.length; from += MOST_INPUTS) {
    const body = {
      model: role === undefined ? model : `${model}:${role}`,
      input: texts.slice(from, from + MOST_INPUTS),
      encoding_format: 'base64' as const,
      ...(dimensions !== undefined && { dimensions }),
    };
    const { data } = await server.read((api, init) => api.POST('/v1/embeddings', { ...init, body }), {
      signal,
    });
    for (const { embedding } of data) vectors.push(vectorOf(embedding));
  }
  return vectors;
}

/** Numbers, or little-endian float32 in base64. */
function vectorOf(embedding: string | readonly number[]): Float32Array {
  if (typeof embedding !== 'string') return Float32Array.from(embedding);
  const bytes = Uint8Array.from(atob(embedding), (character) => character.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  return Float32Array.from({ length: bytes.length / BYTES_A_NUMBER }, (_, n) =>
    view.getFloat32(n * BYTES_A_NUMBER, true),
  );
}
