/** A range of a text, with the text outside of ranges. */
export interface TextChunk {
  start: number;
  text: string;
  /** The text between the previous range and this one, if `usualGap` would be wrong. */
  gap?: string;
  /** The text after the last one. */
  tail?: string;
}

/**
 * A document's text, joined from its chunks. Chunks that were stored before gaps were kept only have their positions: there,
 * a gap of one character becomes a space and a longer one line breaks, so that all positions stay the same.
 */
export function joinedText(chunks: readonly TextChunk[]): string {
  let whole = '';
  for (const { start, text, gap = usualGap(start - whole.length), tail = '' } of chunks) {
    whole += gap;
    whole += text.slice(Math.max(0, whole.length - start)) + tail;
  }
  return whole;
}

/** For each chunk, by its position in the text, the surrounding text that `joinedText` needs. */
export function textAround(
  text: string,
  places: readonly { start: number; end: number }[],
): Pick<TextChunk, 'gap' | 'tail'>[] {
  let reached = 0;
  return places.map(({ start, end }, n) => {
    const gap = text.slice(reached, start);
    reached = Math.max(reached, end);
    const tail = n === places.length - 1 ? text.slice(reached) : '';
    return {
      ...(gap !== usualGap(gap.length) && { gap }),
      // Truncated text is left out.
      ...(tail !== '' && tail.trim() === '' && { tail }),
    };
  });
}

function usualGap(length: number): string {
  return length === 1 ? ' ' : '\n'.repeat(Math.max(0, length));
}
