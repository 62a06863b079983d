/** What one answer may come to, in characters of what was submitted: texts, titles, metadata. */
export const ANSWER_CHARACTERS = 16 * 1024 * 1024;

/** What a hit or a point adds to an answer beside numbers. */
export function sizeOf({
  text,
  title,
  metadata,
}: {
  text: string;
  title?: string | null;
  metadata?: object;
}): number {
  return text.length + (title?.length ?? 0) + (metadata === undefined ? 0 : JSON.stringify(metadata).length);
}

/** Counts what an answer has; one part is always taken, so that whoever asks on gets on. */
export class AnswerRoom {
  #left = ANSWER_CHARACTERS;
  #isEmpty = true;

  /** Whether there is room for a part of this size, which is taken then. */
  take(size: number): boolean {
    if (!this.#isEmpty && size > this.#left) return false;
    this.#left -= size;
    this.#isEmpty = false;
    return true;
  }
}
