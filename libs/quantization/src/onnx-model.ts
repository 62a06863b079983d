/** Reads, queries and writes complete ONNX files. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  ModelProtoSchema,
  NodeProtoSchema,
  TensorProtoSchema,
  TensorProto_DataLocation,
  TensorProto_DataType,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  type TensorProto,
} from './onnx_pb.js';

/** The domain of ONNX Runtime's own operators. */
export const MICROSOFT = 'com.microsoft';
export const { FLOAT, INT8, UINT8 } = TensorProto_DataType;

/** Reads bytes of a file next to the model, which may hold its weights. */
export type ReadExternal = (location: string, offset: number, length: number | undefined) => Uint8Array;

/** A model and its graph. Throws a SyntaxError if the bytes are not a model. */
export function readModel(bytes: Uint8Array): { model: ModelProto; graph: GraphProto } {
  let model: ModelProto;
  try {
    model = fromBinary(ModelProtoSchema, bytes);
  } catch (error) {
    throw new SyntaxError(`it is not an ONNX file: ${(error as Error).message}`, { cause: error });
  }
  const { graph } = model;
  if (graph === undefined || graph.node.length === 0)
    throw new SyntaxError('it is not an ONNX file: it has no graph');
  return { model, graph };
}

export function writeModel(model: ModelProto): Uint8Array<ArrayBuffer> {
  return toBinary(ModelProtoSchema, model);
}

/** A matrix or a vector of float32 numbers. */
export interface Constant {
  dims: number[];
  floats: Float32Array;
}

/** The constants of a graph by name, whether they are initializers or Constant nodes. */
export class Constants {
  readonly #tensors = new Map<string, TensorProto>();
  readonly #external: ReadExternal;

  constructor({ initializer, node }: GraphProto, external: ReadExternal) {
    this.#external = external;
    for (const tensor of initializer) this.#tensors.set(tensor.name, tensor);
    for (const { opType, output, attribute } of node) {
      const value = attribute.find(({ name }) => name === 'value')?.t;
      if (opType === 'Constant' && value !== undefined) this.#tensors.set(output[0] ?? '', value);
    }
  }

  /** A tensor's shape and element type; undefined if it is not a constant. */
  shapeOf(name: string | undefined): { dims: number[]; element: number } | undefined {
    const tensor = this.#tensors.get(name ?? '');
    return tensor && { dims: tensor.dims.map(Number), element: tensor.dataType };
  }

  /** Throws a RangeError if it is not a float32 tensor. */
  floats(name: string): Constant {
    const tensor = this.#tensors.get(name);
    if (tensor?.dataType !== FLOAT) throw new RangeError(`${name} is not a float32 constant`);
    const dims = tensor.dims.map(Number);
    if (tensor.floatData.length > 0) return { dims, floats: Float32Array.from(tensor.floatData) };
    const raw =
      tensor.dataLocation === TensorProto_DataLocation.EXTERNAL
        ? this.#externalBytes(tensor)
        : tensor.rawData;
    // Copied, because it may not begin at a multiple of four bytes.
    return { dims, floats: new Float32Array(Uint8Array.from(raw).buffer) };
  }

  #externalBytes({ externalData }: TensorProto): Uint8Array {
    const said = new Map(externalData.map(({ key, value }) => [key, value]));
    const length = said.get('length');
    return this.#external(
      said.get('location') ?? '',
      Number(said.get('offset') ?? 0),
      length === undefined ? undefined : Number(length),
    );
  }

  /** Moves external data into the model, so that one file has everything. */
  takeIn(graph: GraphProto): void {
    for (const tensor of graph.initializer) {
      if (tensor.dataLocation !== TensorProto_DataLocation.EXTERNAL) continue;
      tensor.rawData = Uint8Array.from(this.#externalBytes(tensor));
      tensor.dataLocation = TensorProto_DataLocation.DEFAULT;
      tensor.externalData = [];
    }
  }
}

export function nodeOf(
  opType: string,
  input: string[],
  output: string,
  { domain = '' }: { domain?: string } = {},
): NodeProto {
  return create(NodeProtoSchema, { opType, input, output: [output], name: output, domain });
}

/** A tensor with the element type of its array. */
export function tensorOf(
  name: string,
  dims: readonly number[],
  numbers: Float32Array | Int8Array | Uint8Array,
): TensorProto {
  const dataType = numbers instanceof Float32Array ? FLOAT : numbers instanceof Int8Array ? INT8 : UINT8;
  return create(TensorProtoSchema, {
    name,
    dims: dims.map(BigInt),
    dataType,
    // Little-endian, as every platform of ONNX Runtime is.
    rawData: new Uint8Array(numbers.slice().buffer),
  });
}
