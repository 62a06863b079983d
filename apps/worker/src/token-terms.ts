import type { Embedding, Sequence } from '@embedmill/embed/pipeline';
import type { SparseVector } from '@embedmill/jobs';
import type { Tokenizer } from '@embedmill/tokenization';

export const NO_TERMS: SparseVector = { indices: new Uint32Array(), values: new Float32Array() };

/** The terms of a sequence by its tokens' weights. A repeated token counts with its greatest weight, special tokens not at all. */
export function tokenTerms(
  tokenizer: Tokenizer,
  sequence: Pick<Sequence, 'ids'> | undefined,
  { lexical }: Pick<Embedding, 'lexical'>,
): SparseVector {
  if (sequence === undefined) return NO_TERMS;
  const { start, end } = tokenizer;
  const weights = new Map<number, number>();
  for (const [at, id] of sequence.ids.entries()) {
    const weight = lexical?.[at] ?? 0;
    if (weight <= (weights.get(id) ?? 0) || !tokenizer.knowsToken(id)) continue;
    if (!start.includes(id) && !end.includes(id)) weights.set(id, weight);
  }
  const indices = Uint32Array.from(weights.keys()).sort();
  return { indices, values: Float32Array.from(indices, (id) => weights.get(id) ?? 0) };
}
