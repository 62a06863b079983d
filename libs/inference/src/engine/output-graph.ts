/**
 * The nodes that embedmill adds to a model's graph on loading, so that as little as possible leaves the device: one
 * vector per sequence instead of one per token, one row of attention instead of the matrix, one row of vocabulary
 * weights per sequence instead of one per token. Outputs that the graph already has are used as they are.
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
import { readLinearLayer, type LinearLayer } from './linear-layer.ts';
import type { DenseModel, EngineModel, TokenHead } from './protocol.ts';
import {
  cast,
  firstRow,
  head,
  joined,
  LEXICAL,
  pooling,
  STATES,
  TOKEN_VECTORS,
  type DenseLayers,
} from './sequence-graph.ts';

/** Changes whenever the additions change, because optimized graphs are cached with their additions. */
export const GRAPH_VERSION = 2;

/** Input, float32 [sequences, longest, 1]: 1 for real tokens. */
export const TERM_MASK = 'embedmill_term_mask';

/** float32 [sequences, terms]: each term's largest logit over the real tokens, or 0 in sequences with padding. */
export const MAX_LOGITS = 'embedmill_max_logits';
/** float32: a copy of the graph's own output, if that has another element type. */
export const AS_FLOAT32 = 'embedmill_float32';

/** Names of outputs with dense vectors that the graph itself pools, best first. */
export const SEQUENCE_OUTPUTS = ['sentence_embedding', 'embedding', 'pooler_output', 'dense_vecs'];

/** Exporters' names for token vectors, best first. */
const TOKEN_OUTPUTS = [STATES, 'last_hidden_state', 'token_embeddings'];

/** An upper bound on the bytes of an addition, without the model's own layers. */
const ROOM_BYTES = 4096;

/** From this opset on, reducing operators take their axes as an input; before, as an attribute. */
const AXES_AS_INPUT = 18;

const AXIS_1 = 'embedmill_axis_1';

/**
 * A model file with the additions for its kind. Throws file-system errors, and a SyntaxError if it is not an ONNX file
 * or one of its layers is malformed.
 */
export async function readModelGraph(model: EngineModel): Promise<Uint8Array> {
  const layers = model.kind === 'dense' ? await readLayers(model) : NO_LAYERS;
  const file = await open(model.path);
  try {
    const { size } = await file.stat();
    // One buffer for both, because the model may take much of the available memory.
    const bytes = Buffer.allocUnsafeSlow(size + ROOM_BYTES + bytesOf(layers));
    for (let at = 0; at < size;) {
      const { bytesRead } = await file.read(bytes, at, Math.min(size - at, 2 ** 30), at);
      if (bytesRead === 0) throw new Error('the file shrank while it was read');
      at += bytesRead;
    }
    const own = bytes.subarray(0, size);
    const addition = additionFor(model, layers, graphOutputs(own), opsetOf(own));
    if (addition === undefined) return own;
    return bytes.subarray(0, size + additionBytes(addition).copy(bytes, size));
  } finally {
    await file.close();
  }
}

/** The graph's output with one vector per token. */
export function tokenOutput<Output extends Pick<GraphOutput, 'name' | 'rank'>>(
  outputs: readonly Output[],
): Output | undefined {
  const byName = TOKEN_OUTPUTS.flatMap((name) => outputs.find((output) => output.name === name) ?? []);
  return (
    byName.find(({ rank }) => rank === 3 || rank === undefined) ?? outputs.find(({ rank }) => rank === 3)
  );
}

const NO_LAYERS: DenseLayers = { projections: [], lexical: undefined, tokenVectors: undefined };

async function readLayers({ projections = [], lexical, tokenVectors }: DenseModel): Promise<DenseLayers> {
  const layerOf = async (given: TokenHead | undefined) =>
    given !== undefined && 'path' in given ? readLinearLayer(given.path) : undefined;
  return {
    projections: await Promise.all(
      projections.map(async ({ path, activation }) => ({ layer: await readLinearLayer(path), activation })),
    ),
    lexical: await layerOf(lexical),
    tokenVectors: await layerOf(tokenVectors),
  };
}

/** The bytes of the layers in a graph; a layer with one output counts twice. */
function bytesOf({ projections, lexical, tokenVectors }: DenseLayers): number {
  const sizeOf = (layer: LinearLayer | undefined) =>
    layer === undefined ? 0 : layer.weights.values.byteLength + (layer.bias?.values.byteLength ?? 0);
  const projected = projections.reduce((sum, { layer }) => sum + sizeOf(layer), 0);
  return projected + 2 * sizeOf(lexical) + 2 * sizeOf(tokenVectors) + ROOM_BYTES * projections.length;
}

/** For a graph that pools itself, the output with one vector per sequence. */
export function sequenceOutput<Output extends Pick<GraphOutput, 'name' | 'rank'>>(
  outputs: readonly Output[],
): Output | undefined {
  const rows = outputs.filter(({ rank }) => rank === 2);
  return SEQUENCE_OUTPUTS.flatMap((name) => rows.find((row) => row.name === name) ?? [])[0] ?? rows[0];
}

function additionFor(
  model: EngineModel,
  layers: DenseLayers,
  outputs: readonly GraphOutput[],
  opset: number,
): GraphAddition | undefined {
  switch (model.kind) {
    case 'dense': {
      const tokens = tokenOutput(outputs);
      const own = model.pooling === 'graph' ? sequenceOutput(outputs) : undefined;
      if (tokens === undefined) return own && asFloat32(own);
      // With padding on the left, the first row is padding.
      const attention =
        model.padding === 'left'
          ? undefined
          : outputs.findLast(({ name, rank }) => rank === 4 && /^attention/i.test(name));
      return joined(
        pooling(tokens, model, layers),
        own && asFloat32(own),
        attention && firstRow(attention),
        layers.lexical && head(layers.lexical, LEXICAL),
        layers.tokenVectors && head(layers.tokenVectors, TOKEN_VECTORS),
      );
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

/** The maximum over the tokens of [sequences, tokens, terms]. Padding counts as 0, which also means no weight. */
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

function largestOverAxis1(from: string, to: string, opset: number): GraphNode {
  const asInput = opset >= AXES_AS_INPUT;
  return {
    operator: 'ReduceMax',
    inputs: asInput ? [from, AXIS_1] : [from],
    outputs: [to],
    attributes: { keepdims: 0, ...(asInput ? {} : { axes: [1] }) },
  };
}
