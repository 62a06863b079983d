import { expect, it } from 'vitest';
import { packedBatch } from './engine-batch.ts';
import { SequenceWindow, type Entry, type Sequence } from './sequence-window.ts';

const FORM = { dims: 2, poolFactor: 1, start: 1, end: 1 };
const entries = (sequences: readonly [Partial<Sequence>, Entry['outputs']][]): Entry[] =>
  sequences.map(([own, outputs]) =>
    new SequenceWindow().admit({ ids: Int32Array.of(1, 2), ...own }, outputs, 'interactive', 0),
  );

it('asks for whole states beside token vectors in bytes where a query wants them', () => {
  const kept: [Partial<Sequence>, Entry['outputs']] = [{ tokenVectors: FORM }, ['states']];
  const question = packedBatch(entries([kept, [{}, ['states']]]), 'interactive');
  expect(question).toMatchObject({ tokenVectors: [FORM, undefined], wholeStates: true });
  const dense = packedBatch(entries([kept, [{}, ['dense']]]), 'interactive');
  expect(dense.wholeStates).toBeUndefined();
  expect(packedBatch(entries([[{}, ['states']]]), 'interactive').wholeStates).toBeUndefined();
});

it('says which sequences stay raw, and nothing where none does', () => {
  expect(
    packedBatch(
      entries([
        [{}, undefined],
        [{ raw: true }, undefined],
      ]),
      'interactive',
    ).raw,
  ).toEqual([false, true]);
  expect(packedBatch(entries([[{}, undefined]]), 'bulk')).not.toHaveProperty('raw');
});

it('shares a bulk vector among equal sequences only where they are to be alike', () => {
  const window = new SequenceWindow();
  const ids = Int32Array.of(5, 6);
  const plain = window.admit({ ids }, undefined, 'bulk', 0);
  expect(window.admit({ ids }, undefined, 'bulk', 0)).toBe(plain);
  expect(window.admit({ ids, raw: true }, undefined, 'bulk', 0)).not.toBe(plain);
});
