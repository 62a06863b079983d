/**
 * Converts groups of texts to their vectors in the same order, processing many groups concurrently.
 *
 * Invariants:
 * - The texts that were read but whose vectors were not consumed yet are bounded, in number and in characters
 *   (backpressure).
 * - A group's vectors are yielded as soon as they and all previous ones are ready, whether or not the source has more.
 * - However it ends (completion, error, or leaving early), the source is closed and the work's signal aborted.
 *
 * One object per stream; used by `Embedder`.
 */
import { setImmediate } from 'node:timers/promises';
import { EmbedmillError } from '@embedmill/jobs';
import type { Texts } from './interface.ts';

/** Consecutive texts of the source. */
export interface TextGroup {
  /** The index of the first one among all texts. */
  readonly first: number;
  readonly texts: readonly string[];
}

/**
 * The maximum number of texts in progress, and of their characters: several windows of the encoder, even for short
 * texts.
 */
const MOST_TEXTS = 8192;
const MOST_CHARACTERS = 1 << 20;

type Work = (group: TextGroup, signal: AbortSignal) => Promise<Float32Array[]>;

/**
 * The vectors of each group of this many texts. Rejects with the error of the source or the work, or the signal's
 * reason.
 */
export async function* vectorsInOrder(
  texts: Texts,
  size: number,
  signal: AbortSignal | undefined,
  work: Work,
): AsyncGenerator<Float32Array[], void, void> {
  const left = new AbortController();
  const ended = signal === undefined ? left.signal : AbortSignal.any([signal, left.signal]);
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(ended.reason);
  aborted.promise.catch(ignore);
  ended.addEventListener('abort', abort);
  const source = groupsOf(texts, size);
  const inHand = new GroupsInHand();
  let reading: Promise<IteratorResult<TextGroup, void>> | undefined;
  let isWaiting = false;
  let isRead = false;
  const read = async (): Promise<IteratorResult<TextGroup, void>> => {
    isWaiting = true;
    return source.next().finally(() => (isWaiting = false));
  };
  try {
    ended.throwIfAborted();
    for (;;) {
      if (!isRead && inHand.hasRoom) reading ??= read();
      const { head } = inHand;
      if (reading === undefined && head === undefined) return;
      const next = await Promise.race([
        ...(reading === undefined ? [] : [reading]),
        ...(head === undefined ? [] : [head]),
        aborted.promise,
      ]);
      if (Array.isArray(next)) {
        inHand.shift();
        yield next;
        ended.throwIfAborted();
        continue;
      }
      reading = undefined;
      if (next.done === true) isRead = true;
      else inHand.push(next.value, work(next.value, ended));
    }
  } finally {
    left.abort();
    ended.removeEventListener('abort', abort);
    const closed = Promise.allSettled([reading, source.return()]);
    if (isWaiting) await setImmediate();
    // A source that does not respond cannot be closed before it does.
    if (!isWaiting) await closed;
  }
}

/** Groups whose vectors were not consumed yet, in order. */
class GroupsInHand {
  readonly #groups: { texts: number; characters: number; vectors: Promise<Float32Array[]> }[] = [];
  #texts = 0;
  #characters = 0;

  get hasRoom(): boolean {
    return this.#texts < MOST_TEXTS && this.#characters < MOST_CHARACTERS;
  }

  get head(): Promise<Float32Array[]> | undefined {
    return this.#groups[0]?.vectors;
  }

  push({ texts }: TextGroup, vectors: Promise<Float32Array[]>): void {
    const characters = texts.reduce((sum, { length }) => sum + length, 0);
    // The error is reported when its turn comes, if it does.
    vectors.catch(ignore);
    this.#groups.push({ texts: texts.length, characters, vectors });
    this.#texts += texts.length;
    this.#characters += characters;
  }

  shift(): void {
    const taken = this.#groups.shift();
    this.#texts -= taken?.texts ?? 0;
    this.#characters -= taken?.characters ?? 0;
  }
}

async function* groupsOf(texts: Texts, size: number): AsyncGenerator<TextGroup, void, void> {
  let first = 0;
  let group: string[] = [];
  for await (const text of texts) {
    if (typeof text !== 'string') {
      const message = `texts/${first + group.length}: must be a string, but is ${text === null ? 'null' : `a value of type ${typeof text}`}`;
      throw new EmbedmillError('invalid_request', message);
    }
    group.push(text);
    if (group.length < size) continue;
    yield { first, texts: group };
    first += group.length;
    group = [];
  }
  if (group.length > 0) yield { first, texts: group };
}

function ignore(): void {}
