/** The most characters of submitted content in one response: texts, titles, metadata. */
export const ANSWER_CHARACTERS = 16 * 1024 * 1024;

/** What a hit or a point adds to a response, apart from numbers. */
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

/** Counts the size of a response; the first part is always accepted, so that paging makes progress. */
export class AnswerRoom {
  #left = ANSWER_CHARACTERS;
  #isEmpty = true;

  /** Takes room for a part of this size; returns whether there was enough. */
  take(size: number): boolean {
    if (!this.#isEmpty && size > this.#left) return false;
    this.#left -= size;
    this.#isEmpty = false;
    return true;
  }
}
