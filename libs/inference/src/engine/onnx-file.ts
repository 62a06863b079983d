/**
 * Just enough of ONNX's file format (onnx.proto, a protobuf) to read a graph's outputs and to append to the graph. A
 * model is never decoded as a whole, because most of it is weights.
 */

export const ELEMENT = { float32: 1, int64: 7, float16: 10 } as const;

export interface GraphOutput {
  name: string;
  /** Dimensions; undefined if the file does not state them. */
  rank: number | undefined;
  /** The element type (one of TensorProto.DataType); undefined if the file does not state it. */
  element: number | undefined;
}

/** A node, with its tensors by name; only integer attributes are needed. */
export interface GraphNode {
  operator: string;
  inputs: string[];
  outputs: string[];
  attributes?: Record<string, number | readonly number[]>;
}

/** An input or output, with a name for each dimension. */
export interface GraphValue {
  name: string;
  dimensions: string[];
  /** float32 by default. */
  element?: (typeof ELEMENT)[keyof typeof ELEMENT];
}

export interface GraphAddition {
  nodes: GraphNode[];
  inputs: GraphValue[];
  outputs: GraphValue[];
  constants: GraphConstant[];
}

/** An int64, a vector of them, or float32 numbers in the order of their dimensions. */
export type GraphConstant =
  | { name: string; value: number | readonly number[] }
  | { name: string; dimensions: readonly number[]; floats: Float32Array };

/** Field numbers of onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto). */
const MODEL = { graph: 7, opset: 8 } as const;
const OPSET = { domain: 1, version: 2 } as const;
const GRAPH = { node: 1, initializer: 5, input: 11, output: 12 } as const;
const NODE = { input: 1, output: 2, operator: 4, attribute: 5 } as const;
const ATTRIBUTE = { name: 1, integer: 3, integers: 8, type: 20 } as const;
const ATTRIBUTE_TYPE = { integer: 2, integers: 7 } as const;
const VALUE = { name: 1, type: 2 } as const;
const TYPE = { tensor: 1 } as const;
const TENSOR_TYPE = { element: 1, shape: 2 } as const;
const SHAPE = { dimension: 1 } as const;
const DIMENSION = { name: 2 } as const;
const TENSOR = { dimension: 1, element: 2, int64: 7, name: 8, raw: 9 } as const;

const NO_BYTES = new Uint8Array();

/** Throws a SyntaxError if the bytes are not an ONNX file. */
export function graphOutputs(model: Uint8Array): GraphOutput[] {
  const outputs: GraphOutput[] = [];
  for (const graph of messages(model, MODEL.graph)) {
    for (const value of messages(graph, GRAPH.output)) {
      const [name = NO_BYTES] = messages(value, VALUE.name);
      outputs.push({ name: Buffer.from(name).toString('utf8'), ...tensorTypeOf(value) });
    }
  }
  return outputs;
}

function tensorTypeOf(value: Uint8Array): Pick<GraphOutput, 'rank' | 'element'> {
  const [type = NO_BYTES] = messages(value, VALUE.type);
  const [tensor = NO_BYTES] = messages(type, TYPE.tensor);
  const [shape] = messages(tensor, TENSOR_TYPE.shape);
  return {
    rank: shape && [...messages(shape, SHAPE.dimension)].length,
    element: numberIn(tensor, TENSOR_TYPE.element),
  };
}

/** The opset version of a model; 0 if the file does not state it. */
export function opsetOf(model: Uint8Array): number {
  for (const opset of messages(model, MODEL.opset)) {
    const [domain = NO_BYTES] = messages(opset, OPSET.domain);
    const name = Buffer.from(domain).toString('utf8');
    if (name === '' || name === 'ai.onnx') return numberIn(opset, OPSET.version) ?? 0;
  }
  return 0;
}

/**
 * The bytes that, appended to a model's, extend its graph. Protobuf merges concatenated messages, lists by appending
 * (https://protobuf.dev/programming-guides/encoding/#last-one-wins), so the model's own bytes stay unchanged.
 */
export function additionBytes({ nodes, inputs, outputs, constants }: GraphAddition): Buffer {
  const graph = [
    ...nodes.map((node) => message(GRAPH.node, nodeBytes(node))),
    ...constants.map((constant) => message(GRAPH.initializer, constantBytes(constant))),
    ...inputs.map((value) => message(GRAPH.input, valueBytes(value))),
    ...outputs.map((value) => message(GRAPH.output, valueBytes(value))),
  ];
  return message(MODEL.graph, Buffer.concat(graph));
}

function nodeBytes({ operator, inputs, outputs, attributes = {} }: GraphNode): Buffer {
  return Buffer.concat([
    ...inputs.map((name) => message(NODE.input, name)),
    ...outputs.map((name) => message(NODE.output, name)),
    message(NODE.operator, operator),
    ...Object.entries(attributes).map(([name, value]) =>
      message(NODE.attribute, attributeBytes(name, value)),
    ),
  ]);
}

function attributeBytes(name: string, value: number | readonly number[]): Buffer {
  const isOne = typeof value === 'number';
  return Buffer.concat([
    message(ATTRIBUTE.name, name),
    ...(isOne ? [number(ATTRIBUTE.integer, value)] : value.map((one) => number(ATTRIBUTE.integers, one))),
    number(ATTRIBUTE.type, isOne ? ATTRIBUTE_TYPE.integer : ATTRIBUTE_TYPE.integers),
  ]);
}

function constantBytes(constant: GraphConstant): Buffer {
  const { name } = constant;
  if ('floats' in constant) {
    const { dimensions, floats } = constant;
    return Buffer.concat([
      ...dimensions.map((size) => number(TENSOR.dimension, size)),
      number(TENSOR.element, ELEMENT.float32),
      message(TENSOR.name, name),
      // Little-endian, as every platform of ONNX Runtime is.
      message(TENSOR.raw, new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength)),
    ]);
  }
  const { value } = constant;
  const [dimensions, values] = typeof value === 'number' ? [[], [value]] : [[value.length], value];
  return Buffer.concat([
    ...dimensions.map((size) => number(TENSOR.dimension, size)),
    number(TENSOR.element, ELEMENT.int64),
    ...values.map((one) => number(TENSOR.int64, one)),
    message(TENSOR.name, name),
  ]);
}

function valueBytes({ name, dimensions, element = ELEMENT.float32 }: GraphValue): Buffer {
  const shape = dimensions.map((dimension) => message(SHAPE.dimension, message(DIMENSION.name, dimension)));
  const tensor = Buffer.concat([
    number(TENSOR_TYPE.element, element),
    message(TENSOR_TYPE.shape, Buffer.concat(shape)),
  ]);
  return Buffer.concat([message(VALUE.name, name), message(VALUE.type, message(TYPE.tensor, tensor))]);
}

const WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

function message(field: number, body: string | Uint8Array): Buffer {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  return Buffer.concat([varint(field * 8 + WIRE.bytes), varint(bytes.length), bytes]);
}

/** A non-negative integer below 2^53. */
function number(field: number, value: number): Buffer {
  return Buffer.concat([varint(field * 8 + WIRE.varint), varint(value)]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (; value > 127; value = Math.floor(value / 128)) bytes.push((value % 128) + 128);
  return Buffer.from([...bytes, value]);
}

/** The messages (or strings) in a field of a message. */
function* messages(bytes: Uint8Array, wanted: number): Generator<Uint8Array, undefined> {
  for (const value of valuesIn(bytes, wanted)) if (typeof value !== 'number') yield value;
}

function numberIn(bytes: Uint8Array, wanted: number): number | undefined {
  for (const value of valuesIn(bytes, wanted)) if (typeof value === 'number') return value;
  return undefined;
}

/** The values in a field of a message, in order; all other fields are skipped unread. */
function* valuesIn(bytes: Uint8Array, wanted: number): Generator<number | Uint8Array, undefined> {
  let at = 0;
  const next = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at];
      if (byte === undefined || scale > 2 ** 63) throw notOnnx('a number is not terminated');
      at += 1;
      value += (byte % 128) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = next();
    const field = Math.floor(tag / 8);
    switch (tag % 8) {
      case WIRE.varint: {
        const value = next();
        if (field === wanted) yield value;
        break;
      }
      case WIRE.fixed64:
        at += 8;
        break;
      case WIRE.fixed32:
        at += 4;
        break;
      case WIRE.bytes: {
        const length = next();
        if (at + length > bytes.length) throw notOnnx('it ends early');
        if (field === wanted) yield bytes.subarray(at, at + length);
        at += length;
        break;
      }
      default:
        throw notOnnx(`a field has the wire type ${tag % 8}`);
    }
  }
}

function notOnnx(why: string): SyntaxError {
  return new SyntaxError(`not a complete ONNX file: ${why}`);
}
