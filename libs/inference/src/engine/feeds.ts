import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { EmbedmillError } from '@embedmill/jobs';
import type { EngineBatch } from '../engine.ts';
import { POOLING_MASK, TERM_MASK } from './output-graph.ts';

type TensorClass = typeof Tensor;

/** What each input of a model is filled with, by the names that it has in exporters' graphs. */
const FILLS = {
  input_ids: 'ids',
  attention_mask: 'mask',
  input_mask: 'mask',
  token_type_ids: 'types',
  segment_ids: 'types',
  position_ids: 'positions',
} as const;

/** Inputs of embedmill's own additions, with the rows that each sequence has in them. */
const MASKS = { [POOLING_MASK]: 2, [TERM_MASK]: 1 } as const;

type Fill = (typeof FILLS)[keyof typeof FILLS];

type ModelInput = {
  name: string;
  /** Grows to the largest batch seen and stays: `run` reads it before it returns, so the next run may reuse it. */
  buffer: ArrayBuffer;
} & ({ type: 'int64' | 'int32'; fill: Fill } | { type: 'float32'; rows: 1 | 2 });

/**
 * Turns batches into a model's input tensors: sequences × longest, padded behind.
 * Throws `model_corrupt` for a graph with inputs that embedmill cannot fill.
 */
export class Feeds {
  readonly #Tensor: TensorClass;
  readonly #inputs: ModelInput[];
  readonly #padTokenId: number;

  constructor(Tensor: TensorClass, metadata: readonly InferenceSession.ValueMetadata[], padTokenId: number) {
    this.#Tensor = Tensor;
    this.#padTokenId = padTokenId;
    this.#inputs = metadata.map((input) => {
      const { name } = input;
      const type = input.isTensor ? input.type : undefined;
      const buffer = new ArrayBuffer(0);
      const rows = byName(MASKS, name);
      if (rows !== undefined && type === 'float32') return { name, rows, type, buffer };
      const fill = byName(FILLS, name);
      if (fill === undefined || (type !== 'int64' && type !== 'int32')) {
        const known = Object.keys(FILLS).join(', ');
        throw new EmbedmillError(
          'model_corrupt',
          `the model has an input "${name}" of type ${type ?? 'no tensor'}; a text encoder has ${known}, of int64 or int32`,
        );
      }
      return { name, fill, type, buffer };
    });
  }

  fill(batch: EngineBatch, longest: number): Record<string, Tensor> {
    return Object.fromEntries(this.#inputs.map((input) => [input.name, this.#tensor(input, batch, longest)]));
  }

  #tensor(input: ModelInput, batch: EngineBatch, longest: number): Tensor {
    const sequences = batch.lengths.length;
    const count = sequences * longest;
    const words = input.type === 'int32' ? 1 : 2;
    if (input.buffer.byteLength < count * words * 4) input.buffer = new ArrayBuffer(count * words * 4);
    if (input.type === 'float32') {
      const { rows } = input;
      const mask = new Float32Array(input.buffer, 0, count * rows);
      writeMask(mask, rows, batch.lengths, longest);
      return new this.#Tensor(
        'float32',
        mask,
        rows === 1 ? [sequences, longest, 1] : [sequences, rows, longest],
      );
    }
    const cells = new Int32Array(input.buffer, 0, count * words);
    writeCells(cells, words, input.fill, batch, longest, this.#padTokenId);
    const shape = [sequences, longest];
    return input.type === 'int64'
      ? new this.#Tensor('int64', new BigInt64Array(input.buffer, 0, count), shape)
      : new this.#Tensor('int32', cells, shape);
  }
}

/**
 * An int64 is written as its low 32-bit word, which comes first on every platform that ONNX Runtime supports,
 * and a high word of 0: several times faster than making a BigInt of each id.
 */
function writeCells(
  cells: Int32Array,
  words: number,
  fill: Fill,
  { ids, lengths, firstParts }: EngineBatch,
  longest: number,
  padTokenId: number,
): void {
  if (words === 2 || fill === 'types') cells.fill(0);
  // Of single texts, all tokens are the first part's.
  if (fill === 'types' && firstParts === undefined) return;
  let from = 0;
  for (const [row, length] of lengths.entries()) {
    const start = row * longest;
    const second = firstParts?.[row] ?? length;
    for (let at = 0; at < longest; at += 1) {
      const real = at < length;
      const cell = (start + at) * words;
      switch (fill) {
        case 'ids':
          cells[cell] = real ? (ids[from + at] ?? padTokenId) : padTokenId;
          break;
        case 'mask':
          cells[cell] = real ? 1 : 0;
          break;
        case 'positions':
          cells[cell] = at;
          break;
        case 'types':
          cells[cell] = real && at >= second ? 1 : 0;
          break;
      }
    }
    from += length;
  }
}

function writeMask(mask: Float32Array, rows: number, lengths: Int32Array, longest: number): void {
  mask.fill(0);
  for (const [n, length] of lengths.entries()) {
    for (let row = n * rows; row < (n + 1) * rows; row += 1) {
      mask.fill(1, row * longest, row * longest + length);
    }
  }
}

function byName<Value>(values: Readonly<Record<string, Value>>, name: string): Value | undefined {
  return Object.hasOwn(values, name) ? values[name] : undefined;
}
