/**
 * Additions to a dense model's graph: from token vectors to one vector per sequence, and the heads' value for every
 * token.
 */
import type { LinearLayer } from './linear-layer.ts';
import { ELEMENT, type GraphAddition, type GraphNode, type GraphOutput } from './onnx-file.ts';
import type { DenseModel } from './protocol.ts';
import type { FloatTensor } from './safetensors.ts';

/** Input, float32 [sequences, 2, longest]: 1 for real tokens, in both rows. `Feeds` fills it, and the inputs below. */
export const POOLING_MASK = 'embedmill_pooling_mask';
/** Input, float32 [sequences, 1, 1]: the number of real tokens. */
export const LENGTHS = 'embedmill_lengths';
/** Input, int64 [sequences, 2, 2]: in two equal rows, the sequence's index and that of the token that represents it. */
export const TOKEN_PLACES = 'embedmill_token_places';

/**
 * float32 [sequences, dims]: the sum of the real tokens' vectors for `mean` without projections, else the pooled
 * vector.
 */
export const POOLED = 'embedmill_pooled';
/** float32 [sequences, longest, dims]: a copy of the token vectors, if the graph's own have another element type. */
export const STATES = 'embedmill_states';
/** float32 [sequences, longest, dims]: token vectors that a head computes from the graph's. */
export const TOKEN_VECTORS = 'embedmill_token_vectors';
/** float32 [sequences, longest, n]: token weights that a head computes, in the first of each n. */
export const LEXICAL = 'embedmill_lexical';
/** float32 [sequences, heads, longest]: the first token's row of each of the last layer's heads. */
export const ATTENTION = 'embedmill_attention';

export const FIRST = 'embedmill_first';
const TWICE_FIRST = 'embedmill_twice_first';

/** The layers that a model keeps in separate files. */
export interface DenseLayers {
  projections: readonly { layer: LinearLayer; activation: 'identity' | 'tanh' }[];
  lexical: LinearLayer | undefined;
  tokenVectors: LinearLayer | undefined;
}

/**
 * Gives the same bits alone and in any batch: the sum is a matrix product, which ONNX Runtime adds up token by token
 * from the first, so padding at the end only adds zeros. The mask has two equal rows because the kernel for a single
 * row adds up in groups that depend on the length; the projections' input has two rows for the same reason.
 */
export function pooling(
  tokens: GraphOutput,
  { pooling: how, padding }: Pick<DenseModel, 'pooling' | 'padding'>,
  { projections }: Pick<DenseLayers, 'projections'>,
): GraphAddition {
  const both = 'embedmill_sums';
  const addition: GraphAddition = {
    nodes: [cast(tokens.name, STATES)],
    inputs: [],
    outputs: tokens.element === ELEMENT.float32 ? [] : [statesOutput()],
    constants: [],
  };
  if (how === 'graph') return addition;
  addition.outputs.unshift({ name: POOLED, dimensions: ['sequences', 'dims'] });
  addition.constants.push({ name: FIRST, value: 0 });
  const isFirst = how === 'cls' && padding !== 'left';
  if (isFirst && projections.length === 0) {
    addition.nodes.push(gather(STATES, 1, POOLED));
    return addition;
  }
  if (how === 'mean') {
    addition.inputs.push({ name: POOLING_MASK, dimensions: ['sequences', 'rows', 'tokens'] });
    addition.nodes.push(node('MatMul', [POOLING_MASK, STATES], both));
  } else if (isFirst) {
    addition.constants.push({ name: TWICE_FIRST, value: [0, 0] });
    addition.nodes.push({ ...gather(STATES, 1, both), inputs: [STATES, TWICE_FIRST] });
  } else {
    const dimensions = ['sequences', 'rows', 'coordinates'];
    addition.inputs.push({ name: TOKEN_PLACES, dimensions, element: ELEMENT.int64 });
    addition.nodes.push(node('GatherND', [STATES, TOKEN_PLACES], both));
  }
  let last = both;
  if (how === 'mean' && projections.length > 0) {
    addition.inputs.push({ name: LENGTHS, dimensions: ['sequences', 'one', 'one_more'] });
    addition.nodes.push(node('Div', [both, LENGTHS], 'embedmill_means'));
    last = 'embedmill_means';
  }
  for (const [n, { layer, activation }] of projections.entries()) {
    const projected = `embedmill_projected_${n}`;
    append(addition, linear(layer, last, projected));
    last = projected;
    if (activation === 'identity') continue;
    last = `embedmill_activated_${n}`;
    addition.nodes.push(node('Tanh', [projected], last));
  }
  addition.nodes.push(gather(last, 1, POOLED));
  return addition;
}

/** A head's computation over the token vectors in STATES. */
export function head(layer: LinearLayer, output: typeof LEXICAL | typeof TOKEN_VECTORS): GraphAddition {
  const addition = linear(twoColumns(layer), STATES, output);
  addition.outputs.push({ name: output, dimensions: ['sequences', 'tokens', 'numbers'] });
  return addition;
}

/**
 * The first token's attention out of [sequences, heads, tokens, tokens]. Heads are not averaged here, because the order
 * in which ONNX Runtime would add them up depends on the batch.
 */
export function firstRow({ name }: GraphOutput): GraphAddition {
  const row = 'embedmill_attention_row';
  return {
    nodes: [gather(name, 2, row), cast(row, ATTENTION)],
    inputs: [],
    outputs: [{ name: ATTENTION, dimensions: ['sequences', 'heads', 'tokens'] }],
    constants: [{ name: FIRST, value: 0 }],
  };
}

/** Merges the parts; a constant that several share is included once. */
export function joined(...parts: readonly (GraphAddition | undefined)[]): GraphAddition {
  const whole: GraphAddition = { nodes: [], inputs: [], outputs: [], constants: [] };
  for (const part of parts) if (part !== undefined) append(whole, part);
  return whole;
}

export const cast = (from: string, to: string): GraphNode => ({
  ...node('Cast', [from], to),
  attributes: { to: ELEMENT.float32 },
});

/** The nodes of a layer: x·weights, then + bias. */
function linear({ weights, bias }: LinearLayer, from: string, to: string): GraphAddition {
  const [matrix, sum, product] = [`${to}_weights`, `${to}_bias`, `${to}_product`];
  const { dimensions, values } = weights;
  const constants: GraphAddition['constants'] = [{ name: matrix, dimensions, floats: values }];
  if (bias === undefined)
    return { nodes: [node('MatMul', [from, matrix], to)], inputs: [], outputs: [], constants };
  constants.push({ name: sum, dimensions: bias.dimensions, floats: bias.values });
  return {
    nodes: [node('MatMul', [from, matrix], product), node('Add', [product, sum], to)],
    inputs: [],
    outputs: [],
    constants,
  };
}

/**
 * Duplicates the column of a layer with one output, because the kernel for a single column also adds up in groups that
 * depend on the batch.
 */
function twoColumns({ weights, bias }: LinearLayer): LinearLayer {
  const twice = ({ dimensions, values }: FloatTensor): FloatTensor => ({
    dimensions: [...dimensions.slice(0, -1), 2],
    values: Float32Array.from({ length: 2 * values.length }, (_, n) => values[n >> 1] ?? 0),
  });
  if (weights.dimensions.at(-1) !== 1) return { weights, bias };
  return { weights: twice(weights), bias: bias && twice(bias) };
}

const statesOutput = () => ({ name: STATES, dimensions: ['sequences', 'tokens', 'dims'] });

function node(operator: string, inputs: string[], output: string): GraphNode {
  return { operator, inputs, outputs: [output] };
}

/** The first entry along an axis. */
function gather(from: string, axis: number, to: string): GraphNode {
  return { ...node('Gather', [from, FIRST], to), attributes: { axis } };
}

function append(whole: GraphAddition, part: GraphAddition): void {
  whole.nodes.push(...part.nodes);
  whole.inputs.push(...part.inputs);
  whole.outputs.push(...part.outputs);
  const known = new Set(whole.constants.map(({ name }) => name));
  whole.constants.push(...part.constants.filter(({ name }) => !known.has(name)));
}
