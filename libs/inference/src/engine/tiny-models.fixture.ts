/** Models for tests with a few nodes, whose outputs can be computed by hand. */
import { additionBytes, ELEMENT, type GraphAddition, type GraphNode } from './onnx-file.ts';

const IDS_AND_MASK = ['input_ids', 'attention_mask'];
const BY_TOKEN = ['batch', 'tokens'];

/**
 * The shape of a cross-encoder: input_ids, attention_mask, token_type_ids → logits [batch, 1]. A pair's score is the
 * sum of the first part's ids plus twice the sum of the second part's; without `types`, the sum of all ids.
 */
export function crossEncoder({ types = true, labels = 1 } = {}): Buffer {
  const inputs = types ? [...IDS_AND_MASK, 'token_type_ids'] : IDS_AND_MASK;
  const weighted: GraphNode[] = types
    ? [node('Mul', ['real', 'token_type_ids'], 'of_second'), node('Add', ['real', 'of_second'], 'weighted')]
    : [node('Identity', ['real'], 'weighted')];
  return modelBytes(13, {
    nodes: [
      node('Mul', IDS_AND_MASK, 'real'),
      ...weighted,
      node('ReduceSum', ['weighted', 'axis'], 'sum', { keepdims: 1 }),
      node('Cast', ['sum'], 'score', { to: ELEMENT.float32 }),
      node(
        'Concat',
        Array.from({ length: labels }, () => 'score'),
        'logits',
        { axis: 1 },
      ),
    ],
    inputs: inputs.map((name) => ({ name, dimensions: BY_TOKEN, element: ELEMENT.int64 })),
    outputs: [{ name: 'logits', dimensions: ['batch', 'labels'] }],
    constants: [{ name: 'axis', value: [1] }],
  });
}

/**
 * The shape of a masked language model: input_ids, attention_mask → logits [batch, tokens, 4]. A token's logits are its
 * id, 0, its negated id, and its id again.
 */
export function maskedLanguageModel(opset: number): Buffer {
  return modelBytes(opset, {
    nodes: [
      node('Cast', ['input_ids'], 'numbers', { to: ELEMENT.float32 }),
      node('Unsqueeze', ['numbers', 'axis'], 'id'),
      node('Neg', ['id'], 'negative'),
      node('Sub', ['id', 'id'], 'zero'),
      node('Concat', ['id', 'zero', 'negative', 'id'], 'logits', { axis: 2 }),
    ],
    inputs: IDS_AND_MASK.map((name) => ({ name, dimensions: BY_TOKEN, element: ELEMENT.int64 })),
    outputs: [{ name: 'logits', dimensions: [...BY_TOKEN, 'terms'] }],
    constants: [{ name: 'axis', value: [2] }],
  });
}

/** A text encoder in float16: input_ids, attention_mask → last_hidden_state [batch, tokens, 2]: an id n gives (n, −n). */
export function halfEncoder(): Buffer {
  return modelBytes(17, {
    nodes: [
      node('Cast', ['input_ids'], 'numbers', { to: ELEMENT.float16 }),
      node('Unsqueeze', ['numbers', 'axis'], 'id'),
      node('Neg', ['id'], 'negative'),
      node('Concat', ['id', 'negative'], 'last_hidden_state', { axis: 2 }),
    ],
    inputs: IDS_AND_MASK.map((name) => ({ name, dimensions: BY_TOKEN, element: ELEMENT.int64 })),
    outputs: [{ name: 'last_hidden_state', dimensions: [...BY_TOKEN, 'dims'], element: ELEMENT.float16 }],
    constants: [{ name: 'axis', value: [2] }],
  });
}

/**
 * A text encoder whose weights, two float32, are in a separate file: input_ids, attention_mask → last_hidden_state
 * [batch, tokens, 2], an id times the weights.
 */
export function encoderOfExternalWeights(location: string): Buffer {
  const graph = modelBytes(17, {
    nodes: [
      node('Cast', ['input_ids'], 'numbers', { to: ELEMENT.float32 }),
      node('Unsqueeze', ['numbers', 'axis'], 'id'),
      node('Mul', ['id', 'weights'], 'last_hidden_state'),
    ],
    inputs: IDS_AND_MASK.map((name) => ({ name, dimensions: BY_TOKEN, element: ELEMENT.int64 })),
    outputs: [{ name: 'last_hidden_state', dimensions: [...BY_TOKEN, 'dims'] }],
    constants: [{ name: 'axis', value: [2] }],
  });
  // TensorProto (onnx.proto): dims 1, data_type 2, name 8, external_data 13 (key 1, value 2), data_location 14.
  const entry = (key: string, value: string) => field(13, Buffer.concat([field(1, key), field(2, value)]));
  const [two, float32, external] = [
    [1 << 3, 2],
    [2 << 3, ELEMENT.float32],
    [14 << 3, 1],
  ].map((bytes) => Buffer.from(bytes));
  const tensor = [two, float32, field(8, 'weights'), entry('location', location), external];
  const initializer = field(5, Buffer.concat(tensor.flatMap((part) => part ?? [])));
  // ModelProto has its graph in field 7; a second one is merged into the first.
  return Buffer.concat([graph, field(7, initializer)]);
}

/** A protobuf field of bytes. */
function field(number: number, content: string | Buffer): Buffer {
  const bytes = Buffer.from(content);
  const length = bytes.length < 128 ? [bytes.length] : [(bytes.length % 128) + 128, bytes.length >> 7];
  return Buffer.concat([Buffer.from([number * 8 + 2, ...length]), bytes]);
}

function node(
  operator: string,
  inputs: string[],
  output: string,
  attributes: Record<string, number> = {},
): GraphNode {
  return { operator, inputs, outputs: [output], attributes };
}

/** A whole file: the format's version, the opset version, and the graph. */
function modelBytes(opset: number, graph: GraphAddition): Buffer {
  return Buffer.concat([Buffer.from([0x08, 8, 0x42, 2, 0x10, opset]), additionBytes(graph)]);
}
