/** Models for tests, made of a few nodes, whose outputs can be computed by hand. */
import { additionBytes, ELEMENT, type GraphAddition, type GraphNode } from './onnx-file.ts';

const IDS_AND_MASK = ['input_ids', 'attention_mask'];
const BY_TOKEN = ['batch', 'tokens'];

/**
 * A cross-encoder in shape: input_ids, attention_mask, token_type_ids → logits [batch, 1]. A pair's score is the sum
 * of its first part's ids, and twice that of its second part's; without `types`, the sum of all ids.
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
 * A masked language model in shape: input_ids, attention_mask → logits [batch, tokens, 4]. A token's logits are its
 * id, 0, its negative id, and its id again.
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

function node(
  operator: string,
  inputs: string[],
  output: string,
  attributes: Record<string, number> = {},
): GraphNode {
  return { operator, inputs, outputs: [output], attributes };
}

/** A whole file: the version of the format, that of the operators, and the graph. */
function modelBytes(opset: number, graph: GraphAddition): Buffer {
  return Buffer.concat([Buffer.from([0x08, 8, 0x42, 2, 0x10, opset]), additionBytes(graph)]);
}
