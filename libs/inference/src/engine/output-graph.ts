/**
 * What embedmill adds to a model's graph when it is loaded, so that the least has to leave the device: a vector a
 * sequence instead of one a token, a row of attention instead of a square of it, a row of the vocabulary a
 * sequence instead of one a token. What a graph gives by itself is taken as it is.
 */
import { open } from 'node:fs/promises';
import {
  additionBytes,
  ELEMENT,
  graphOutputs,
  opsetOf,
  type GraphAddition,
  type GraphNode,
  type GraphOutput,
} from './onnx-file.ts';
import type { EngineModel } from './protocol.ts';

/** Another one where the additions are others: optimized graphs are kept, additions included. */
export const GRAPH_VERSION = 2;

/** Input, float32 [sequences, 2, longest]: 1 where a token is real, in both rows. Filled by `Feeds`. */
export const POOLING_MASK = 'embedmill_pooling_mask';
/** Input, float32 [sequences, longest, 1]: 1 where a token is real. */
export const TERM_MASK = 'embedmill_term_mask';

/** float32 [sequences, dims]: for `mean` the sum of the real tokens' vectors, for `cls` the first one's. */
export const POOLED = 'embedmill_pooled';
/** float32 [sequences, longest, dims]: token vectors, where the graph's own are of another element. */
export const STATES = 'embedmill_states';
/** float32 [sequences, heads, longest]: the first token's row of each of the last layer's heads. */
export const ATTENTION = 'embedmill_attention';
/** float32 [sequences, terms]: each term's largest logit over the real tokens, or 0 in sequences with padding. */
export const MAX_LOGITS = 'embedmill_max_logits';
/** float32: the graph's own output, where that is of another element. */
export const AS_FLOAT32 = 'embedmill_float32';

/** Names that token vectors have in exporters' graphs, best first. */
const TOKEN_OUTPUTS = [STATES, 'last_hidden_state', 'token_embeddings'];

/** More than an addition takes. */
const ROOM_BYTES = 4096;

/** Operators that reduce take their axes as an input from this opset on, before as an attribute. */
const AXES_AS_INPUT = 18;

const AXIS_1 = 'embedmill_axis_1';
const FIRST = 'embedmill_first';

/**
 * A model file with the additions for its kind. Throws what reading a file throws, and a SyntaxError when it is no
 * ONNX file.
 */
export async function readModelGraph(model: EngineModel): Promise<Uint8Array> {
  const file = await open(model.path);
  try {
    const { size } = await file.stat();
    // One buffer for both: the model may take much of what memory there is.
    const bytes = Buffer.allocUnsafeSlow(size + ROOM_BYTES);
    for (let at = 0; at < size;) {
      const { bytesRead } = await file.read(bytes, at, Math.min(size - at, 2 ** 30), at);
      if (bytesRead === 0) throw new Error('the file became shorter while it was read');
      at += bytesRead;
    }
    const own = bytes.subarray(0, size);
    const addition = additionFor(model, graphOutputs(own), opsetOf(own));
    if (addition === undefined) return own;
    return bytes.subarray(0, size + additionBytes(addition).copy(bytes, size));
  } finally {
    await file.close();
  }
}

/** Of a graph's outputs, the one with a vector a token. */
export function tokenOutput<Output extends Pick<GraphOutput, 'name' | 'rank'>>(
  outputs: readonly Output[],
): Output | undefined {
  const byName = TOKEN_OUTPUTS.flatMap((name) => outputs.find((output) => output.name === name) ?? []);
  return (
    byName.find(({ rank }) => rank === 3 || rank === undefined) ?? outputs.find(({ rank }) => rank === 3)
  );
}

function additionFor(
  model: EngineModel,
  outputs: readonly GraphOutput[],
  opset: number,
): GraphAddition | undefined {
  switch (model.kind) {
    case 'dense': {
      const tokens = tokenOutput(outputs);
      if (tokens === undefined) return undefined;
      const attention = outputs.findLast(({ name, rank }) => rank === 4 && /^attention/i.test(name));
      const pooled = pooling(tokens, model.pooling);
      return attention === undefined ? pooled : joined(pooled, firstRow(attention));
    }
    case 'sparse': {
      const own = outputs.find(({ rank }) => rank === 2);
      if (own !== undefined) return asFloat32(own);
      const logits = outputs.find(({ rank }) => rank === 3);
      return logits && largest(logits, opset);
    }
    case 'reranker': {
      const logits = outputs.find(({ rank }) => rank === 2);
      return logits && asFloat32(logits);
    }
  }
}

/**
 * The same bits alone and in any batch: the sum is a matrix product, which ONNX Runtime adds up token after token
 * from the first, so that padding behind adds zeros to a finished sum. The mask has two equal rows because its
 * kernel for a single row adds up in groups that depend on the length.
 */
function pooling(tokens: GraphOutput, how: 'mean' | 'cls'): GraphAddition {
  const both = 'embedmill_sums';
  const pick = (from: string): GraphNode => gather(from, 1, POOLED);
  const outputs = [{ name: POOLED, dimensions: ['sequences', 'dims'] }];
  if (tokens.element !== ELEMENT.float32) {
    outputs.push({ name: STATES, dimensions: ['sequences', 'tokens', 'dims'] });
  }
  const rest = { outputs, constants: [{ name: FIRST, value: 0 }] };
  switch (how) {
    case 'cls':
      return { ...rest, inputs: [], nodes: [cast(tokens.name, STATES), pick(STATES)] };
    case 'mean':
      return {
        ...rest,
        inputs: [{ name: POOLING_MASK, dimensions: ['sequences', 'rows', 'tokens'] }],
        nodes: [
          cast(tokens.name, STATES),
          { operator: 'MatMul', inputs: [POOLING_MASK, STATES], outputs: [both] },
          pick(both),
        ],
      };
  }
}

/**
 * Of [sequences, heads, tokens, tokens], what the first token attends to. Heads are not averaged here: the order in
 * which ONNX Runtime would add them up depends on the batch.
 */
function firstRow({ name }: GraphOutput): GraphAddition {
  const row = 'embedmill_attention_row';
  return {
    nodes: [gather(name, 2, row), cast(row, ATTENTION)],
    inputs: [],
    outputs: [{ name: ATTENTION, dimensions: ['sequences', 'heads', 'tokens'] }],
    constants: [],
  };
}

/** Of [sequences, tokens, terms], the largest over the tokens. Padding counts as 0, which is no weight either. */
function largest({ name }: GraphOutput, opset: number): GraphAddition {
  const [logits, real] = ['embedmill_logits', 'embedmill_real_logits'];
  return {
    nodes: [
      cast(name, logits),
      { operator: 'Mul', inputs: [logits, TERM_MASK], outputs: [real] },
      largestOverAxis1(real, MAX_LOGITS, opset),
    ],
    inputs: [{ name: TERM_MASK, dimensions: ['sequences', 'tokens', 'one'] }],
    outputs: [{ name: MAX_LOGITS, dimensions: ['sequences', 'terms'] }],
    constants: opset >= AXES_AS_INPUT ? [{ name: AXIS_1, value: [1] }] : [],
  };
}

function asFloat32({ name, element }: GraphOutput): GraphAddition | undefined {
  if (element === ELEMENT.float32) return undefined;
  const outputs = [{ name: AS_FLOAT32, dimensions: ['sequences', 'numbers'] }];
  return { nodes: [cast(name, AS_FLOAT32)], inputs: [], outputs, constants: [] };
}

const cast = (from: string, to: string): GraphNode => ({
  operator: 'Cast',
  inputs: [from],
  outputs: [to],
  attributes: { to: ELEMENT.float32 },
});

/** The first along an axis. */
const gather = (from: string, axis: number, to: string): GraphNode => ({
  operator: 'Gather',
  inputs: [from, FIRST],
  outputs: [to],
  attributes: { axis },
});

function largestOverAxis1(from: string, to: string, opset: number): GraphNode {
  const asInput = opset >= AXES_AS_INPUT;
  return {
    operator: 'ReduceMax',
    inputs: asInput ? [from, AXIS_1] : [from],
    outputs: [to],
    attributes: { keepdims: 0, ...(asInput ? {} : { axes: [1] }) },
  };
}

function joined(one: GraphAddition, other: GraphAddition): GraphAddition {
  return {
    nodes: [...one.nodes, ...other.nodes],
    inputs: [...one.inputs, ...other.inputs],
    outputs: [...one.outputs, ...other.outputs],
    constants: [...one.constants, ...other.constants],
  };
}
