import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { EmbedmillError } from '@embedmill/jobs';
import type { EngineBatch } from '../engine.ts';
import { POOLING_MASK } from './pooling-graph.ts';

type TensorClass = typeof Tensor;

/** What each input of a model is filled with, by the name it has in every exporter's graphs. */
const FILLS = {
  input_ids: 'ids',
  attention_mask: 'mask',
  token_type_ids: 'zeros',
  position_ids: 'positions',
  [POOLING_MASK]: 'pooling',
} as const;

type Fill = (typeof FILLS)[keyof typeof FILLS];

type ModelInput = {
  name: string;
  /** Grows to the largest batch seen and stays: `run` reads it before it returns, so the next run may reuse it. */
  buffer: ArrayBuffer;
} & ({ type: 'int64' | 'int32'; fill: Exclude<Fill, 'pooling'> } | { type: 'float32'; fill: 'pooling' });

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
      const fill = Object.entries(FILLS).find(([name]) => name === input.name)?.[1];
      const type = input.isTensor ? input.type : undefined;
      const buffer = new ArrayBuffer(0);
      if (fill === 'pooling' && type === 'float32') return { name: input.name, fill, type, buffer };
      if (fill === undefined || fill === 'pooling' || (type !== 'int64' && type !== 'int32')) {
        const known = Object.keys(FILLS)
          .filter((name) => name !== POOLING_MASK)
          .join(', ');
        throw new EmbedmillError(
          'model_corrupt',
          `the model has an input "${input.name}" of type ${type ?? 'no tensor'}; a text encoder has ${known}, of int64 or int32`,
        );
      }
      return { name: input.name, fill, type, buffer };
    });
  }

  fill({ ids, lengths }: EngineBatch, longest: number): Record<string, Tensor> {
    return Object.fromEntries(
      this.#inputs.map((input) => [input.name, this.#tensor(input, ids, lengths, longest)]),
    );
  }

  #tensor(input: ModelInput, ids: Int32Array, lengths: Int32Array, longest: number): Tensor {
    const count = lengths.length * longest;
    const words = input.type === 'int32' ? 1 : 2;
    if (input.buffer.byteLength < count * words * 4) input.buffer = new ArrayBuffer(count * words * 4);
    if (input.type === 'float32') {
      const mask = new Float32Array(input.buffer, 0, count * 2);
      writePoolingMask(mask, lengths, longest);
      return new this.#Tensor('float32', mask, [lengths.length, 2, longest]);
    }
    const cells = new Int32Array(input.buffer, 0, count * words);
    writeCells(cells, words, input.fill, ids, lengths, longest, this.#padTokenId);
    const shape = [lengths.length, longest];
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
  fill: Exclude<Fill, 'pooling'>,
  ids: Int32Array,
  lengths: Int32Array,
  longest: number,
  padTokenId: number,
): void {
  if (words === 2 || fill === 'zeros') cells.fill(0);
  let from = 0;
  for (const [row, length] of lengths.entries()) {
    const start = row * longest;
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
        case 'zeros':
          break;
      }
    }
    from += length;
  }
}

function writePoolingMask(mask: Float32Array, lengths: Int32Array, longest: number): void {
  mask.fill(0);
  for (const [row, length] of lengths.entries()) {
    const start = 2 * row * longest;
    mask.fill(1, start, start + length);
    mask.fill(1, start + longest, start + longest + length);
  }
}
