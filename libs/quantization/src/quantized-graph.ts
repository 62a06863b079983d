/** A graph whose linear layers multiply integers, and whose large embeddings are integers, too. */
import { create } from '@bufbuild/protobuf';
import { FLOAT, MICROSOFT, nodeOf, tensorOf, type Constants } from './onnx-model.ts';
import type { LinearLayer, Site } from './linear-layers.ts';
import {
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  OperatorSetIdProtoSchema,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  type TensorProto,
} from './onnx_pb.js';
import { roundRows, type Fit } from './rounding.ts';

export interface FittedSite {
  site: Site;
  fit: Fit;
  /** The chosen rounding of each layer. */
  biases: Float32Array[];
}

/** The minimum number of rows for which quantizing a table is worthwhile; position and segment tables have fewer. */
const LARGE_TABLE = 1024;

/** The model with its quantized layers; the original is not changed. */
export function quantizedModel(
  model: ModelProto,
  graph: GraphProto,
  sites: readonly FittedSite[],
  constants: Constants,
): ModelProto {
  const replaced = new Map<NodeProto, NodeProto[]>();
  const tensors: TensorProto[] = [];
  for (const site of sites) {
    for (const [n, { node, biasNode }] of site.site.layers.entries()) {
      const { nodes, tensors: own } = layerNodes(site, n);
      replaced.set(node, n === 0 ? [...siteNodes(site, tensors), ...nodes] : nodes);
      if (biasNode !== undefined) replaced.set(biasNode, []);
      tensors.push(...own);
    }
  }
  for (const node of graph.node) {
    const table = tableOf(node, constants);
    if (table === undefined) continue;
    const { nodes, tensors: own } = tableNodes(node, table);
    replaced.set(node, nodes);
    tensors.push(...own);
  }
  const node = graph.node.flatMap((one) => replaced.get(one) ?? [one]);
  const used = new Set([...node.flatMap(({ input }) => input), ...graph.output.map(({ name }) => name)]);
  const initializer = [...graph.initializer, ...tensors].filter(({ name }) => used.has(name));
  const opsetImport = model.opsetImport.some(({ domain }) => domain === MICROSOFT)
    ? model.opsetImport
    : [...model.opsetImport, create(OperatorSetIdProtoSchema, { domain: MICROSOFT, version: 1n })];
  // Drops the types of tensors that no longer exist.
  return { ...model, opsetImport, graph: { ...graph, node, initializer, valueInfo: [] } };
}

/** The common input of a site's layers: the tensor in u8. */
function siteNodes({ site, fit }: FittedSite, tensors: TensorProto[]): NodeProto[] {
  const { input } = site;
  const { divisors, rounding } = fit;
  const names = siteNames(site);
  tensors.push(
    tensorOf(names.step, [], Float32Array.of(rounding.step)),
    tensorOf(names.zeroPoint, [], Uint8Array.of(rounding.zeroPoint)),
  );
  const isPlain = divisors.every((divisor) => divisor === 1);
  const smoothed = isPlain ? [] : [nodeOf('Mul', [input, names.factors], names.smoothed)];
  if (!isPlain) {
    const factors = divisors.map((divisor) => 1 / divisor);
    tensors.push(tensorOf(names.factors, [factors.length], factors));
  }
  const read = isPlain ? input : names.smoothed;
  return [...smoothed, nodeOf('QuantizeLinear', [read, names.step, names.zeroPoint], names.integers)];
}

function layerNodes(
  { site, fit, biases }: FittedSite,
  n: number,
): { nodes: NodeProto[]; tensors: TensorProto[] } {
  const [layer, matrix, bias] = [site.layers[n], fit.matrices[n], biases[n]];
  if (layer === undefined || matrix === undefined || bias === undefined) return { nodes: [], tensors: [] };
  const { inputs, outputs, output } = layer;
  const { step, zeroPoint, integers } = siteNames(site);
  const [weights, steps, added] = [`${output}_int8`, `${output}_int8_steps`, `${output}_int8_bias`];
  const node = nodeOf(
    'MatMulIntegerToFloat',
    [integers, weights, step, steps, zeroPoint, '', added],
    output,
    { domain: MICROSOFT },
  );
  return {
    nodes: [node],
    tensors: [
      tensorOf(weights, [inputs, outputs], matrix.numbers),
      tensorOf(steps, [outputs], matrix.steps),
      tensorOf(added, [outputs], bias),
    ],
  };
}

function siteNames({ input }: Site) {
  return {
    factors: `${input}_u8_factors`,
    smoothed: `${input}_u8_smoothed`,
    step: `${input}_u8_step`,
    zeroPoint: `${input}_u8_zero`,
    integers: `${input}_u8`,
  };
}

interface Table {
  name: string;
  rows: number;
  width: number;
  numbers: Float32Array;
}

/** The table of a look-up node, if it is large. */
function tableOf({ opType, input, attribute }: NodeProto, constants: Constants): Table | undefined {
  const [name = ''] = input;
  const shape = constants.shapeOf(name);
  const [rows = 0, width = 0] = shape?.dims ?? [];
  const axis = Number(attribute.find((one) => one.name === 'axis')?.i ?? 0n);
  if (opType !== 'Gather' || axis !== 0 || shape?.element !== FLOAT || shape.dims.length !== 2)
    return undefined;
  return rows < LARGE_TABLE ? undefined : { name, rows, width, numbers: constants.floats(name).floats };
}

/** A row's integers times its step. */
function tableNodes(
  { input, output }: NodeProto,
  { name, rows, width, numbers }: Table,
): { nodes: NodeProto[]; tensors: TensorProto[] } {
  const [, places = ''] = input;
  const [result = ''] = output;
  const rounded = roundRows(numbers, width);
  const [integers, steps] = [`${name}_int8`, `${name}_int8_steps`];
  const parts = [`${result}_int8`, `${result}_float`, `${result}_steps`] as const;
  const toFloat = nodeOf('Cast', [parts[0]], parts[1]);
  toFloat.attribute.push(
    create(AttributeProtoSchema, { name: 'to', i: BigInt(FLOAT), type: AttributeProto_AttributeType.INT }),
  );
  return {
    nodes: [
      nodeOf('Gather', [integers, places], parts[0]),
      toFloat,
      nodeOf('Gather', [steps, places], parts[2]),
      nodeOf('Mul', [parts[1], parts[2]], result),
    ],
    tensors: [tensorOf(integers, [rows, width], rounded.numbers), tensorOf(steps, [rows, 1], rounded.steps)],
  };
}

export function layerBias(layer: LinearLayer, constants: Constants): Float32Array {
  return layer.bias === undefined ? new Float32Array(layer.outputs) : constants.floats(layer.bias).floats;
}
