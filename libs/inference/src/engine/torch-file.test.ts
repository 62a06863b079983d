import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { torchTensors } from './torch-file.ts';

const FILE = readFileSync(
  join(import.meta.dirname, '../../fixtures/tiny-exports/three-outputs/colbert_linear.pt'),
);

it('reads the tensors of a state dict', () => {
  const tensors = torchTensors(FILE);
  expect([...tensors].map(([name, { dimensions }]) => [name, dimensions])).toEqual([
    ['weight', [16, 16]],
    ['bias', [16]],
  ]);
  expect(tensors.get('weight')!.values.some((value) => value !== 0)).toBe(true);
});

it('runs nothing that a pickle requests', () => {
  const evil = Buffer.from(
    FILE.toString('latin1').replaceAll('torch._utils\n_reb', 'os..........\nsyst'),
    'latin1',
  );
  expect(() => torchTensors(evil)).toThrow(/calls os.*which is not allowed/s);
});

it('refuses truncated or changed files, and never hangs on them', () => {
  const attempt = (bytes: Buffer) => {
    try {
      torchTensors(bytes);
    } catch (thrown) {
      expect(thrown).toBeInstanceOf(SyntaxError);
    }
  };
  fc.assert(fc.property(fc.nat({ max: FILE.length }), (end) => attempt(FILE.subarray(0, end))));
  const place = fc.nat({ max: FILE.length - 1 });
  fc.assert(
    fc.property(
      fc.array(fc.tuple(place, fc.nat({ max: 255 })), { minLength: 1, maxLength: 4 }),
      (changes) => {
        const changed = Buffer.from(FILE);
        for (const [at, byte] of changes) changed[at] = byte;
        attempt(changed);
      },
    ),
    { numRuns: 3000 },
  );
});
