/**
 * The set of a job's counted shards, as runs [from, to) of their indices: sorted, disjoint, non-adjacent and non-empty.
 * There is at most one more run than the job has shards on the queue, so this stays small however large the job is.
 */
export type SettledShards = readonly (readonly [from: number, to: number])[];

export function isSettled(settled: SettledShards, index: number): boolean {
  return settled.some(([from, to]) => from <= index && index < to);
}

/** Whether it is all shards from 0 to `shards - 1`. */
export function areAllSettled(settled: SettledShards, shards: number): boolean {
  return shards === 0 || settled.some(([from, to]) => from === 0 && to >= shards);
}

/** The set with one more shard. */
export function withSettled(settled: SettledShards, index: number): SettledShards {
  if (isSettled(settled, index)) return settled;
  const before = settled.filter(([, to]) => to < index);
  const after = settled.filter(([from]) => from > index + 1);
  const from = settled.find(([, to]) => to === index)?.[0] ?? index;
  const to = settled.find(([start]) => start === index + 1)?.[1] ?? index + 1;
  return [...before, [from, to], ...after];
}
