/** A stretch of a text, with what of the text lies in no stretch. */
export interface TextChunk {
  start: number;
  text: string;
  /** What lies between the one before and this one, where `usualGap` would be wrong. */
  gap?: string;
  /** What lies behind the last one. */
  tail?: string;
}

/**
 * A document's text, put together from its chunks. Chunks that were stored before their gaps were kept only say where they
 * stand: there one character becomes a space, more become line breaks, so that all characters stay where they were.
 */
export function joinedText(chunks: readonly TextChunk[]): string {
  let whole = '';
  for (const { start, text, gap = usualGap(start - whole.length), tail = '' } of chunks) {
    whole += gap;
    whole += text.slice(Math.max(0, whole.length - start)) + tail;
  }
  return whole;
}

/** Of each chunk, by where it stands in the text, what `joinedText` has to be told of what lies around it. */
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
      // What was cut off stays out.
      ...(tail !== '' && tail.trim() === '' && { tail }),
    };
  });
}

function usualGap(length: number): string {
  return length === 1 ? ' ' : '\n'.repeat(Math.max(0, length));
}
