/** Finds a graph's linear layers: products with a constant matrix, and the bias added to them. */
import { FLOAT, type Constants } from './onnx-model.ts';
import type { GraphProto, NodeProto } from './onnx_pb.js';

export interface LinearLayer {
  node: NodeProto;
  /** The constant matrix, [inputs, outputs], or transposed. */
  weights: string;
  isTurned: boolean;
  inputs: number;
  outputs: number;
  bias: string | undefined;
  /** The node that adds the bias, which is replaced together with the layer. */
  biasNode: NodeProto | undefined;
  /** The layer's output, including its bias. */
  output: string;
}

/** A tensor to quantize, and the layers that read it. */
export interface Site {
  input: string;
  layers: LinearLayer[];
}

/** The linear layers of a graph, grouped by their input, in the graph's order. */
export function linearSites(graph: GraphProto, constants: Constants): Site[] {
  const sites = new Map<string, Site>();
  const readers = readersOf(graph);
  const kept = new Set(graph.output.map(({ name }) => name));
  for (const node of graph.node) {
    const layer = linearLayer(node, constants);
    if (layer === undefined) continue;
    const whole = layer.bias === undefined ? withAddedBias(layer, { readers, kept, constants }) : layer;
    const [input = ''] = node.input;
    const site = sites.get(input);
    if (site === undefined) sites.set(input, { input, layers: [whole] });
    else site.layers.push(whole);
  }
  return [...sites.values()];
}

function linearLayer(node: NodeProto, constants: Constants): LinearLayer | undefined {
  const [input, weights, added] = node.input;
  const shape = constants.shapeOf(weights);
  if (node.domain !== '' || shape?.element !== FLOAT || shape.dims.length !== 2) return undefined;
  if (weights === undefined || constants.shapeOf(input) !== undefined) return undefined;
  const [rows = 0, columns = 0] = shape.dims;
  const [output = ''] = node.output;
  const layer = { node, weights, biasNode: undefined, output };
  switch (node.opType) {
    case 'MatMul':
      return { ...layer, isTurned: false, inputs: rows, outputs: columns, bias: undefined };
    case 'Gemm': {
      const isTurned = attributeOf(node, 'transB') === 1;
      const isPlain =
        (attributeOf(node, 'transA') ?? 0) === 0 &&
        (attributeOf(node, 'alpha') ?? 1) === 1 &&
        (attributeOf(node, 'beta') ?? 1) === 1;
      const [inputs, outputs] = isTurned ? [columns, rows] : [rows, columns];
      const bias = added || undefined;
      if (!isPlain || (bias !== undefined && !isVector(bias, outputs, constants))) return undefined;
      return { ...layer, isTurned, inputs, outputs, bias };
    }
    default:
      return undefined;
  }
}

/** Adds the bias, if the product's only reader adds a constant. */
function withAddedBias(
  layer: LinearLayer,
  {
    readers,
    kept,
    constants,
  }: { readers: ReadonlyMap<string, NodeProto[]>; kept: ReadonlySet<string>; constants: Constants },
): LinearLayer {
  const [reader, ...others] = readers.get(layer.output) ?? [];
  if (reader?.opType !== 'Add' || others.length > 0 || kept.has(layer.output)) return layer;
  const bias = reader.input.find((name) => name !== layer.output);
  if (bias === undefined || !isVector(bias, layer.outputs, constants)) return layer;
  return { ...layer, bias, biasNode: reader, output: reader.output[0] ?? '' };
}

function isVector(name: string, size: number, constants: Constants): boolean {
  const shape = constants.shapeOf(name);
  return (
    shape?.element === FLOAT &&
    shape.dims.at(-1) === size &&
    shape.dims.every((n, at) => n === 1 || at === shape.dims.length - 1)
  );
}

function attributeOf(node: NodeProto, wanted: string): number | undefined {
  const found = node.attribute.find(({ name }) => name === wanted);
  if (found === undefined) return undefined;
  return wanted.startsWith('trans') ? Number(found.i) : found.f;
}

export function readersOf(graph: GraphProto): Map<string, NodeProto[]> {
  const readers = new Map<string, NodeProto[]>();
  for (const node of graph.node) {
    for (const name of new Set(node.input)) {
      const known = readers.get(name);
      if (known === undefined) readers.set(name, [node]);
      else known.push(node);
    }
  }
  return readers;
}
