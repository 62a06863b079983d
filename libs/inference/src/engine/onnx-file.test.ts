import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { additionBytes, ELEMENT, graphOutputs, opsetOf } from './onnx-file.ts';

const MODEL = readFileSync(join(import.meta.dirname, '../../../../models/all-MiniLM-L6-v2/model_int8.onnx'));

describe('graphOutputs', () => {
  it('names a real model’s outputs, with their ranks and elements', () => {
    expect(graphOutputs(MODEL)).toEqual([
      { name: 'last_hidden_state', rank: 3, element: ELEMENT.float32 },
      { name: 'attention_6', rank: 4, element: ELEMENT.float32 },
    ]);
    expect(opsetOf(MODEL)).toBe(17);
  });

  it('refuses truncated files, and never hangs on files that are not models', () => {
    expect(() => graphOutputs(MODEL.subarray(0, 10_000_000))).toThrow(SyntaxError);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          expect(Array.isArray(graphOutputs(bytes))).toBe(true);
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(SyntaxError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('additionBytes', () => {
  it('adds outputs to those that the model has', () => {
    const name = fc.string({ minLength: 1, maxLength: 300 }).filter((text) => text.isWellFormed());
    fc.assert(
      fc.property(name, fc.array(name, { maxLength: 4 }), (output, dimensions) => {
        const addition = additionBytes({
          nodes: [{ operator: 'Identity', inputs: ['last_hidden_state'], outputs: [output] }],
          inputs: [],
          outputs: [{ name: output, dimensions }],
          constants: [
            { name: 'big', value: 2 ** 40 + 300 },
            { name: 'axes', value: [1, 2] },
          ],
        });
        expect(graphOutputs(addition)).toEqual([
          { name: output, rank: dimensions.length, element: ELEMENT.float32 },
        ]);
      }),
    );
    const more = additionBytes({
      nodes: [],
      inputs: [],
      outputs: [{ name: 'another', dimensions: ['a', 'b'] }],
      constants: [],
    });
    expect(graphOutputs(Buffer.concat([MODEL, more])).map((output) => output.name)).toEqual([
      'last_hidden_state',
      'attention_6',
      'another',
    ]);
  });
});
