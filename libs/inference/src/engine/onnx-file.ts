/**
 * Just enough of ONNX's file format (onnx.proto, a protobuf) to say what a graph's outputs are and to append to
 * the graph. A model is never decoded as a whole: its weights are most of it.
 */

export const ELEMENT = { float32: 1, int64: 7 } as const;

export interface GraphOutput {
  name: string;
  /** Dimensions; undefined where the file does not say. */
  rank: number | undefined;
}

/** A node, its tensors by name; integer attributes are all that is needed. */
export interface GraphNode {
  operator: string;
  inputs: string[];
  outputs: string[];
  attributes?: Record<string, number>;
}

export interface GraphAddition {
  nodes: GraphNode[];
  /** float32 inputs, with a name for each dimension. */
  inputs: { name: string; dimensions: string[] }[];
  outputs: { name: string; dimensions: string[] }[];
  /** Constant int64 scalars. */
  scalars: { name: string; value: number }[];
}

/** Field numbers of onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto). */
const MODEL = { graph: 7 } as const;
const GRAPH = { node: 1, initializer: 5, input: 11, output: 12 } as const;
const NODE = { input: 1, output: 2, operator: 4, attribute: 5 } as const;
const ATTRIBUTE = { name: 1, integer: 3, type: 20 } as const;
const ATTRIBUTE_INT = 2;
const VALUE = { name: 1, type: 2 } as const;
const TYPE = { tensor: 1 } as const;
const TENSOR_TYPE = { element: 1, shape: 2 } as const;
const SHAPE = { dimension: 1 } as const;
const DIMENSION = { name: 2 } as const;
const TENSOR = { element: 2, int64: 7, name: 8 } as const;

/** Throws a SyntaxError when the bytes are no ONNX file. */
export function graphOutputs(model: Uint8Array): GraphOutput[] {
  const outputs: GraphOutput[] = [];
  for (const graph of messages(model, MODEL.graph)) {
    for (const value of messages(graph, GRAPH.output)) {
      const [name = new Uint8Array()] = messages(value, VALUE.name);
      let rank: number | undefined;
      for (const type of messages(value, VALUE.type)) {
        for (const tensor of messages(type, TYPE.tensor)) {
          for (const shape of messages(tensor, TENSOR_TYPE.shape))
            rank = [...messages(shape, SHAPE.dimension)].length;
        }
      }
      outputs.push({ name: Buffer.from(name).toString('utf8'), rank });
    }
  }
  return outputs;
}

/**
 * Bytes that, behind those of a model, add to its graph. Protobuf joins messages whose bytes stand one after the
 * other, lists by appending (https://protobuf.dev/programming-guides/encoding/#last-one-wins), so nothing of
 * the model is rewritten.
 */
export function additionBytes({ nodes, inputs, outputs, scalars }: GraphAddition): Buffer {
  const graph = [
    ...nodes.map((node) => message(GRAPH.node, nodeBytes(node))),
    ...scalars.map(({ name, value }) => message(GRAPH.initializer, scalarBytes(name, value))),
    ...inputs.map(({ name, dimensions }) => message(GRAPH.input, valueBytes(name, dimensions))),
    ...outputs.map(({ name, dimensions }) => message(GRAPH.output, valueBytes(name, dimensions))),
  ];
  return message(MODEL.graph, Buffer.concat(graph));
}

function nodeBytes({ operator, inputs, outputs, attributes = {} }: GraphNode): Buffer {
  return Buffer.concat([
    ...inputs.map((name) => message(NODE.input, name)),
    ...outputs.map((name) => message(NODE.output, name)),
    message(NODE.operator, operator),
    ...Object.entries(attributes).map(([name, value]) =>
      message(
        NODE.attribute,
        Buffer.concat([
          message(ATTRIBUTE.name, name),
          number(ATTRIBUTE.integer, value),
          number(ATTRIBUTE.type, ATTRIBUTE_INT),
        ]),
      ),
    ),
  ]);
}

function scalarBytes(name: string, value: number): Buffer {
  return Buffer.concat([
    number(TENSOR.element, ELEMENT.int64),
    number(TENSOR.int64, value),
    message(TENSOR.name, name),
  ]);
}

function valueBytes(name: string, dimensions: string[]): Buffer {
  const shape = dimensions.map((dimension) => message(SHAPE.dimension, message(DIMENSION.name, dimension)));
  const tensor = Buffer.concat([
    number(TENSOR_TYPE.element, ELEMENT.float32),
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

/** The messages (or strings) that a message has in a field; everything else is passed over unread. */
function* messages(bytes: Uint8Array, wanted: number): Generator<Uint8Array, undefined> {
  let at = 0;
  const next = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at];
      if (byte === undefined || scale > 2 ** 63) throw notOnnx('a number has no end');
      at += 1;
      value += (byte % 128) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = next();
    const field = Math.floor(tag / 8);
    switch (tag % 8) {
      case WIRE.varint:
        next();
        break;
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
  return new SyntaxError(`not a whole ONNX file: ${why}`);
}
