import { startEmbedder } from './embedder.ts';
import type { Embedder, EmbedderOptions, StreamOptions, TextOptions, Texts } from './interface.ts';

export type {
  Embedder,
  EmbedderOptions,
  RunBatch,
  StreamOptions,
  TextOptions,
  TextRole,
  Texts,
  TruncatedText,
} from './interface.ts';

/**
 * Loads a model, which stays loaded until it is closed. Errors have a `code`: `model_not_found`, `model_unavailable`,
 * `model_corrupt`, `invalid_request` for a model without dense vectors, `invalid_config` for a device that does not exist.
 */
export function createEmbedder(options: EmbedderOptions = {}): Promise<Embedder> {
  return startEmbedder(options);
}

/**
 * The vectors of texts in order, some hundreds at a time: see `Embedder.embed`. The model is loaded on the first request, and
 * its engines have ended when the last vectors are taken, the loop is left or an error is thrown.
 */
export async function* embed(
  texts: Texts,
  options: EmbedderOptions & StreamOptions = {},
): AsyncGenerator<Float32Array[], void, void> {
  const embedder = await startEmbedder(options);
  try {
    yield* embedder.embed(texts, options);
  } finally {
    await embedder.close();
  }
}

/** The vector of one text, by engines that end afterwards; for more texts, keep an `Embedder`. */
export async function embedOne(
  text: string,
  options: EmbedderOptions & TextOptions = {},
): Promise<Float32Array> {
  const embedder = await startEmbedder(options);
  try {
    return await embedder.embedOne(text, options);
  } finally {
    await embedder.close();
  }
}
