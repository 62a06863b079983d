import { planBatches, type WindowItem } from '@embedmill/batching';
import type { Engine, EngineBatch } from '@embedmill/inference';

/** The work done in a period of time. */
export interface Run {
  documents: number;
  /** Without padding. */
  tokens: number;
  paddedTokens: number;
  seconds: number;
}

/** A batch of given sequences. */
export function batchOf(sequences: readonly Int32Array[]): EngineBatch {
  const lengths = Int32Array.from(sequences, ({ length }) => length);
  const ids = new Int32Array(lengths.reduce((sum, length) => sum + length, 0));
  let at = 0;
  for (const sequence of sequences) {
    ids.set(sequence, at);
    at += sequence.length;
  }
  return { ids, lengths, urgent: false };
}

export const paddedTokens = ({ lengths }: EngineBatch): number =>
  lengths.length * lengths.reduce((most, length) => Math.max(most, length), 0);

/** All sequences in batches of similar length within an area, in an order independent of length. */
export function sortedBatches(
  sequences: readonly Int32Array[],
  area: number,
  launchCost: number,
): EngineBatch[] {
  const items = sequences.map((ids): WindowItem & { ids: Int32Array } => ({
    ids,
    length: ids.length,
    lane: 'bulk',
    enqueuedAt: 0,
  }));
  const budget = { area, launchCost, maxItems: 4096, deadlineMs: Infinity };
  const batches = planBatches(items, budget, 0).map((batch) => batchOf(batch.items.map(({ ids }) => ids)));
  // So that every part of a run has short and long ones. A step coprime to the number visits each batch once.
  const step = batches.findLastIndex(
    (_, n) => n > 0 && n <= batches.length * 0.62 && coprime(n, batches.length),
  );
  return batches.map((_, n) => batches[(n * Math.max(step, 1)) % batches.length] ?? batchOf([]));
}

function coprime(a: number, b: number): boolean {
  return b === 0 ? a === 1 : coprime(b, a % b);
}

/** Keeps each engine full until `next` has no more; returns the work and time until the last answer. */
export async function feed(
  engines: readonly Engine[],
  next: () => Promise<EngineBatch | undefined>,
): Promise<Run> {
  const run: Run = { documents: 0, tokens: 0, paddedTokens: 0, seconds: 0 };
  const start = performance.now();
  const lanes = engines.flatMap((engine) => Array.from({ length: engine.capacity }, () => engine));
  await Promise.all(
    lanes.map(async (engine) => {
      for (let batch = await next(); batch !== undefined; batch = await next()) {
        await engine.run(batch);
        run.documents += batch.lengths.length;
        run.tokens += batch.ids.length;
        run.paddedTokens += paddedTokens(batch);
      }
    }),
  );
  run.seconds = (performance.now() - start) / 1000;
  return run;
}
