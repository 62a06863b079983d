import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { EmbedmillError } from '@embedmill/jobs';
import type { EngineBatch } from '../engine.ts';

type TensorClass = typeof Tensor;

/** What each input of a model is filled with, by the name it has in every exporter's graphs. */
const FILLS = {
  input_ids: 'ids',
  attention_mask: 'mask',
  token_type_ids: 'zeros',
  position_ids: 'positions',
} as const;

type Fill = (typeof FILLS)[keyof typeof FILLS];

interface ModelInput {
  name: string;
  fill: Fill;
  type: 'int64' | 'int32';
  /** Grows to the largest batch seen and stays: `run` reads it before it returns, so the next run may reuse it. */
  buffer: ArrayBuffer;
}

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
      if (fill === undefined || (type !== 'int64' && type !== 'int32')) {
        const known = Object.keys(FILLS).join(', ');
        throw new EmbedmillError(
          'model_corrupt',
          `the model has an input "${input.name}" of type ${type ?? 'no tensor'}; a text encoder has ${known}, of int64 or int32`,
        );
      }
      return { name: input.name, fill, type, buffer: new ArrayBuffer(0) };
    });
  }

  fill({ ids, lengths }: EngineBatch, longest: number): Record<string, Tensor> {
    return Object.fromEntries(
      this.#inputs.map((input) => [input.name, this.#tensor(input, ids, lengths, longest)]),
    );
  }

  #tensor(input: ModelInput, ids: Int32Array, lengths: Int32Array, longest: number): Tensor {
    const count = lengths.length * longest;
    const words = input.type === 'int64' ? 2 : 1;
    if (input.buffer.byteLength < count * words * 4) input.buffer = new ArrayBuffer(count * words * 4);
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
  fill: Fill,
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
