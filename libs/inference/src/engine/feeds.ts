import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { EmbedmillError } from '@embedmill/jobs';
import type { EngineBatch } from '../engine.ts';
import { TERM_MASK } from './output-graph.ts';
import type { EngineModel } from './protocol.ts';
import { LENGTHS, POOLING_MASK, TOKEN_PLACES } from './sequence-graph.ts';

type TensorClass = typeof Tensor;

/** The source of each input's values, by the names that exporters give to inputs. */
const FILLS = {
  input_ids: 'ids',
  attention_mask: 'mask',
  input_mask: 'mask',
  token_type_ids: 'types',
  segment_ids: 'types',
  position_ids: 'positions',
} as const;

/** Keys and values of earlier tokens of a decoder. There are none: [sequences, heads, 0, dims]. */
const PAST = /^past[_.]/;

type Fill = (typeof FILLS)[keyof typeof FILLS];

type ModelInput = {
  name: string;
  /** Grows to the largest batch so far. A run reads it before returning, so the next run can reuse it. */
  buffer: ArrayBuffer;
} & (
  | { kind: 'cells'; type: 'int64' | 'int32'; fill: Fill }
  | { kind: 'mask'; rows: 1 | 2 }
  | { kind: 'lengths' | 'places' }
  | { kind: 'adapter'; type: 'int64' | 'int32' }
  | { kind: 'past'; type: 'float32' | 'float16'; shape: readonly (number | string)[] }
);

interface Padding {
  padTokenId: number;
  isLeft: boolean;
}

/**
 * Turns batches into a model's input tensors: sequences × longest, padded on the model's side.
 * Throws `model_corrupt` for a graph with inputs that embedmill cannot fill.
 */
export class Feeds {
  readonly #Tensor: TensorClass;
  readonly #inputs: ModelInput[];
  readonly #padding: Padding;
  /** Whether a sequence's first token represents it; otherwise its last. */
  readonly #isFirst: boolean;

  constructor(Tensor: TensorClass, metadata: readonly InferenceSession.ValueMetadata[], model: EngineModel) {
    this.#Tensor = Tensor;
    const isLeft = model.kind === 'dense' && model.padding === 'left';
    this.#padding = { padTokenId: model.padTokenId, isLeft };
    this.#isFirst = model.kind === 'dense' && model.pooling === 'cls';
    const adapterInput = model.kind === 'dense' ? model.adapterInput : undefined;
    this.#inputs = metadata.map((input) => inputOf(input, adapterInput));
  }

  fill(batch: EngineBatch, longest: number): Record<string, Tensor> {
    return Object.fromEntries(this.#inputs.map((input) => [input.name, this.#tensor(input, batch, longest)]));
  }

  #tensor(input: ModelInput, batch: EngineBatch, longest: number): Tensor {
    const { lengths } = batch;
    const sequences = lengths.length;
    switch (input.kind) {
      case 'cells': {
        const count = sequences * longest;
        const words = input.type === 'int32' ? 1 : 2;
        const cells = new Int32Array(grown(input, count * words * 4), 0, count * words);
        writeCells(cells, words, input.fill, batch, longest, this.#padding);
        const shape = [sequences, longest];
        return input.type === 'int64'
          ? new this.#Tensor('int64', new BigInt64Array(input.buffer, 0, count), shape)
          : new this.#Tensor('int32', cells, shape);
      }
      case 'mask': {
        const { rows } = input;
        const count = sequences * longest * rows;
        const mask = new Float32Array(grown(input, count * 4), 0, count);
        writeMask(mask, rows, lengths, longest, this.#padding);
        const shape = rows === 1 ? [sequences, longest, 1] : [sequences, rows, longest];
        return new this.#Tensor('float32', mask, shape);
      }
      case 'lengths':
        return new this.#Tensor('float32', Float32Array.from(lengths), [sequences, 1, 1]);
      case 'places':
        return new this.#Tensor('int64', this.#places(lengths, longest), [sequences, 2, 2]);
      case 'adapter': {
        const { adapter = 0 } = batch;
        return input.type === 'int64'
          ? new this.#Tensor('int64', BigInt64Array.of(BigInt(adapter)), [])
          : new this.#Tensor('int32', Int32Array.of(adapter), []);
      }
      case 'past': {
        // The first size that is not fixed is the number of sequences, the others are the number of earlier tokens.
        const shape = input.shape.map((size, n) =>
          typeof size === 'number' ? size : n === 0 ? sequences : 0,
        );
        return input.type === 'float32'
          ? new this.#Tensor('float32', new Float32Array(), shape)
          : new this.#Tensor('float16', new Uint16Array(), shape);
      }
    }
  }

  #places(lengths: Int32Array, longest: number): BigInt64Array {
    const places = new BigInt64Array(lengths.length * 4);
    for (const [row, length] of lengths.entries()) {
      const first = this.#padding.isLeft ? longest - length : 0;
      const place = this.#isFirst ? first : first + length - 1;
      for (const at of [4 * row, 4 * row + 2]) {
        places[at] = BigInt(row);
        places[at + 1] = BigInt(place);
      }
    }
    return places;
  }
}

function inputOf(input: InferenceSession.ValueMetadata, adapterInput: string | undefined): ModelInput {
  const { name } = input;
  const type = input.isTensor ? input.type : undefined;
  const buffer = new ArrayBuffer(0);
  if (name === POOLING_MASK) return { kind: 'mask', name, rows: 2, buffer };
  if (name === TERM_MASK) return { kind: 'mask', name, rows: 1, buffer };
  if (name === LENGTHS) return { kind: 'lengths', name, buffer };
  if (name === TOKEN_PLACES) return { kind: 'places', name, buffer };
  if (name === adapterInput && (type === 'int64' || type === 'int32'))
    return { kind: 'adapter', name, type, buffer };
  if (PAST.test(name) && input.isTensor && (type === 'float32' || type === 'float16'))
    return { kind: 'past', name, type, shape: input.shape, buffer };
  const fill = Object.hasOwn(FILLS, name) ? FILLS[name as keyof typeof FILLS] : undefined;
  if (fill !== undefined && (type === 'int64' || type === 'int32'))
    return { kind: 'cells', name, fill, type, buffer };
  const known = Object.keys(FILLS).join(', ');
  throw new EmbedmillError(
    'model_corrupt',
    `the model has an input "${name}" of type ${type ?? 'no tensor'}; a text encoder has ${known}, of int64 or int32, and a decoder may have past_key_values; one that chooses an adapter is named in the entry’s "adapters"`,
  );
}

function grown(input: { buffer: ArrayBuffer }, bytes: number): ArrayBuffer {
  if (input.buffer.byteLength < bytes) input.buffer = new ArrayBuffer(bytes);
  return input.buffer;
}

/**
 * An int64 is written as its low 32-bit word, which comes first on every platform that ONNX Runtime supports, and a
 * high word of 0. This is several times faster than creating a BigInt for each id.
 */
function writeCells(
  cells: Int32Array,
  words: number,
  fill: Fill,
  { ids, lengths, firstParts }: EngineBatch,
  longest: number,
  { padTokenId, isLeft }: Padding,
): void {
  if (words === 2 || fill === 'types') cells.fill(0);
  // All tokens of single texts belong to the first part.
  if (fill === 'types' && firstParts === undefined) return;
  let from = 0;
  for (const [n, length] of lengths.entries()) {
    const row: Row = { ids, from, length, second: firstParts?.[n] ?? length, padTokenId };
    const before = isLeft ? longest - length : 0;
    for (let place = 0; place < longest; place += 1) {
      cells[(n * longest + place) * words] = cellOf(fill, row, place - before);
    }
    from += length;
  }
}

/** A sequence of a batch: its tokens are `ids` from `from` on. */
interface Row {
  ids: Int32Array;
  from: number;
  length: number;
  /** Where the second text of a pair begins. */
  second: number;
  padTokenId: number;
}

/** The value for the token at `at`, which is outside of the sequence for padding. */
function cellOf(fill: Fill, { ids, from, length, second, padTokenId }: Row, at: number): number {
  const isToken = at >= 0 && at < length;
  switch (fill) {
    case 'ids':
      return isToken ? (ids[from + at] ?? padTokenId) : padTokenId;
    case 'mask':
      return isToken ? 1 : 0;
    case 'positions':
      return Math.max(0, at);
    case 'types':
      return isToken && at >= second ? 1 : 0;
  }
}

function writeMask(
  mask: Float32Array,
  rows: number,
  lengths: Int32Array,
  longest: number,
  { isLeft }: Padding,
): void {
  mask.fill(0);
  for (const [n, length] of lengths.entries()) {
    const before = isLeft ? longest - length : 0;
    for (let row = n * rows; row < (n + 1) * rows; row += 1) {
      mask.fill(1, row * longest + before, row * longest + before + length);
    }
  }
}
