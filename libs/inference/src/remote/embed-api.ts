import { UpstreamFailure } from './failure.ts';
import type { Attempt, Upstream } from './upstream.ts';

/** How to ask an upstream for vectors, and the limits that it states. */
export interface EmbedApi {
  readonly name: 'tei' | 'openai';
  readonly path: string;
  /** The upstream's name for the model. */
  readonly model: string;
  /** The maximum items of a request, as this upstream states or as the API allows. */
  readonly maxItems: number;
  readonly isStated: boolean;
  /** The maximum concurrent requests that this upstream states. */
  readonly maxRequests: number;
  bodyFor(texts: readonly string[]): unknown;
  /** Extracts an answer's vectors in the order of the texts, as numbers or base64, or says what is wrong with it. */
  vectorsIn(answer: unknown, items: number): readonly unknown[] | string;
}

/** The texts' vectors, with the time that the request took. */
export interface Embedded {
  /** items × dims. */
  vectors: Float32Array;
  dims: number;
  seconds: number;
}

/** A number in JSON takes at most 24 characters and a separator; some servers indent. */
const BYTES_A_NUMBER = 32;
const SLACK_BYTES = 64 * 1024;
/** The maximum dimensions accepted from an upstream whose vectors have not been seen yet. */
const MOST_DIMS = 65_536;

/**
 * Asks once. Throws `UpstreamFailure`: `garbled` unless the answer has one vector per text, of `dims` finite numbers.
 */
export async function embedOnce(
  upstream: Upstream,
  api: EmbedApi,
  texts: readonly string[],
  dims: number | undefined,
  attempt: Attempt,
): Promise<Embedded> {
  const start = performance.now();
  const maxBytes = texts.length * (dims ?? MOST_DIMS) * BYTES_A_NUMBER + SLACK_BYTES;
  const answer = await upstream.ask(api.path, { body: api.bodyFor(texts), maxBytes }, attempt);
  const seconds = (performance.now() - start) / 1000;
  const garbled = (what: string) =>
    new UpstreamFailure('garbled', `${upstream.at(api.path)} answers ${what}`);

  const given = api.vectorsIn(answer, texts.length);
  if (typeof given === 'string') throw garbled(given);
  if (given.length !== texts.length) throw garbled(`${given.length} vectors for ${texts.length} texts`);
  let size = dims;
  let vectors = new Float32Array(texts.length * (size ?? 0));
  for (const [row, one] of given.entries()) {
    const numbers = numbersOf(one);
    if (numbers === undefined) throw garbled('a vector that is neither numbers nor base64 of float32');
    if (size === undefined) vectors = new Float32Array(texts.length * (size = numbers.length));
    if (numbers.length !== size || size === 0) {
      throw garbled(`a vector of ${numbers.length} numbers where ${size || 'some'} are expected`);
    }
    for (let d = 0; d < size; d += 1) {
      const number = numbers[d];
      const at = row * size + d;
      vectors[at] = typeof number === 'number' ? number : NaN;
      // Checked as float32, in which a large number is infinite.
      if (!Number.isFinite(vectors[at])) throw garbled('a vector in which not all is a finite number');
    }
  }
  return { vectors, dims: size ?? 0, seconds };
}

function numbersOf(vector: unknown): ArrayLike<unknown> | undefined {
  if (Array.isArray(vector)) return vector;
  if (typeof vector !== 'string') return undefined;
  const bytes = Buffer.from(vector, 'base64');
  if (bytes.length === 0 || bytes.length % 4 !== 0) return undefined;
  // Little-endian on the wire, whatever this machine uses.
  const numbers = new Float32Array(bytes.length / 4);
  for (let d = 0; d < numbers.length; d += 1) numbers[d] = bytes.readFloatLE(d * 4);
  return numbers;
}
