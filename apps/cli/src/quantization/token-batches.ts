import type { EngineBatch } from '@embedmill/inference';

/** Sequences by length, in batches of at most so many padded tokens each, or of one sequence that has more. */
export function batchesOf(sequences: readonly Uint32Array[], area: number): EngineBatch[] {
  const groups: Uint32Array[][] = [];
  for (const sequence of sequences.toSorted((a, b) => a.length - b.length)) {
    const group = groups.at(-1);
    if (group !== undefined && (group.length + 1) * sequence.length <= area) group.push(sequence);
    else groups.push([sequence]);
  }
  return groups.map((group) => ({
    ids: Int32Array.from(group.flatMap((ids) => Array.from(ids))),
    lengths: Int32Array.from(group, ({ length }) => length),
    urgent: false,
  }));
}
