/**
 * Groups of texts in, their vectors out in the same order, with work on many groups at once.
 *
 * Invariants:
 * - Texts that are read and whose vectors are not taken yet are bounded, in number and in characters: beyond that the
 *   source waits for the consumer, and the consumer for the source.
 * - A group's vectors are given as soon as they and all before them are there, whether or not the source has more by now.
 * - However it ends (to its end, by an error, or left early), the source is closed and the work's signal aborted.
 *
 * One object a stream; used by `Embedder`.
 */
import { setImmediate } from 'node:timers/promises';
import { EmbedmillError } from '@embedmill/jobs';
import type { Texts } from './interface.ts';

/** Texts that stand one after the other in the source. */
export interface TextGroup {
  /** Place of the first among all texts. */
  readonly first: number;
  readonly texts: readonly string[];
}

/** Texts that are on their way at most, and their characters: several windows of the encoder, also where they are short. */
const MOST_TEXTS = 8192;
const MOST_CHARACTERS = 1 << 20;

type Work = (group: TextGroup, signal: AbortSignal) => Promise<Float32Array[]>;

/** The vectors of each group of so many texts. Rejects with what the source, the work or the signal says. */
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
    // A source that does not answer cannot be closed before it does.
    if (!isWaiting) await closed;
  }
}

/** Groups whose vectors are not taken yet, in their order. */
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
    // It is told when its turn comes, where that comes.
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
