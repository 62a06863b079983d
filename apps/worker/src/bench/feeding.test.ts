import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Engine, EngineBatch } from '@embedmill/inference';
import { batchOf, feed, paddedTokens, sortedBatches } from './feeding.ts';

const sequencesOf = (lengths: number[]) => lengths.map((length, n) => new Int32Array(length).fill(n + 1));

describe('sortedBatches', () => {
  it('has each sequence once, within the area, whatever the order of the batches', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 200 }),
        fc.integer({ min: 16, max: 2000 }),
        (lengths, area) => {
          const batches = sortedBatches(sequencesOf(lengths), area, 0);
          const seen: number[] = [];
          for (const batch of batches) {
            if (batch.lengths.length > 1) expect(paddedTokens(batch)).toBeLessThanOrEqual(area);
            let at = 0;
            for (const length of batch.lengths) {
              seen.push(batch.ids[at]! - 1);
              at += length;
            }
            expect(at).toBe(batch.ids.length);
          }
          expect(seen.toSorted((a, b) => a - b)).toEqual(lengths.map((_, n) => n));
        },
      ),
    );
  });
});

describe('feed', () => {
  it('keeps engines as full as they may be, and counts all that they ran', async () => {
    let inFlight = 0;
    let most = 0;
    const engine: Engine = {
      dims: 1,
      outputs: ['dense'],
      capacity: 2,
      async run(batch: EngineBatch) {
        inFlight += 1;
        most = Math.max(most, inFlight);
        await new Promise((resolve) => setImmediate(resolve));
        inFlight -= 1;
        return { vectors: new Float32Array(batch.lengths.length), seconds: 0 };
      },
      close: () => Promise.resolve(),
    };
    const batches = [[3, 1], [2], [5, 5, 4], [1]].map((lengths) => batchOf(sequencesOf(lengths)));
    const run = await feed([engine], async () => batches.shift());
    expect(run).toMatchObject({ documents: 7, tokens: 21, paddedTokens: 24 });
    expect(most).toBe(2);
  });
});
