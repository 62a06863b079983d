/**
 * Static int8 quantization of an encoder, from its float32 ONNX file and calibration texts. How a text's numbers are
 * rounded depends only on the model, so its vector is the same alone and in any batch.
 *
 * The steps: (1) the float32 graph runs over the texts, and the inputs of its linear layers are recorded; (2) each
 * layer's scales and ranges are chosen (`rounding.ts`), and its bias is corrected by the mean error of rounding; (3)
 * the graph is written with integers for its linear layers and large tables (`quantized-graph.ts`).
 */
import { create } from '@bufbuild/protobuf';
import { Activations } from './activations.ts';
import { assertQuantizable } from './fitness.ts';
import { linearSites, type LinearLayer } from './linear-layers.ts';
import { Constants, readModel, writeModel, type ReadExternal } from './onnx-model.ts';
import { ValueInfoProtoSchema, type ModelProto } from './onnx_pb.js';
import { layerBias, quantizedModel, type FittedSite } from './quantized-graph.ts';
import { correctBias, fit, sampledMeans, type Matrix } from './rounding.ts';

/** Receives rows of a tensor from a batch, one per real token (or one per text, if the tensor has such rows). */
export type TakeRows = (tensor: string, rows: Float32Array, width: number) => void;

/** Runs a model over the calibration texts, and passes on the values of some of its tensors. */
export type RunTexts = (model: Uint8Array, tensors: readonly string[], take: TakeRows) => Promise<void>;

export type Stage = { kind: 'observing' } | { kind: 'fitting'; layers: number };

export interface QuantizeOptions {
  run: RunTexts;
  external: ReadExternal;
  onStage?: ((stage: Stage) => void) | undefined;
}

export interface QuantizedModel {
  model: Uint8Array<ArrayBuffer>;
  layers: number;
}

/**
 * Throws a SyntaxError if the file is not an ONNX file, and a RangeError with the reason if the model cannot be
 * quantized.
 */
export async function quantizeModel(
  bytes: Uint8Array,
  { run, external, onStage }: QuantizeOptions,
): Promise<QuantizedModel> {
  const { model, graph } = readModel(bytes);
  const constants = new Constants(graph, external);
  const sites = linearSites(graph, constants);
  assertQuantizable(graph, sites);
  constants.takeIn(graph);

  onStage?.({ kind: 'observing' });
  const observed = await observe(
    run,
    model,
    sites.map(({ input }) => input),
  );

  onStage?.({ kind: 'fitting', layers: sites.reduce((sum, { layers }) => sum + layers.length, 0) });
  const fitted: FittedSite[] = [];
  for (const site of sites) {
    const activations = observed.get(site.input);
    if (activations === undefined) continue;
    const matrices = site.layers.map((layer) => matrixOf(layer, constants));
    const biases = site.layers.map((layer) => layerBias(layer, constants).slice());
    const chosen = fit(activations, matrices);
    const sampled = sampledMeans(activations, chosen);
    for (const [n, bias] of biases.entries()) {
      const [matrix, rounded] = [matrices[n], chosen.matrices[n]];
      if (matrix !== undefined && rounded !== undefined) correctBias(bias, { matrix, rounded, sampled });
    }
    fitted.push({ site, fit: chosen, biases });
    // Frees the recorded rows, which are large and no longer needed.
    observed.delete(site.input);
  }

  const layers = fitted.reduce((sum, { biases }) => sum + biases.length, 0);
  return { model: writeModel(quantizedModel(model, graph, fitted, constants)), layers };
}

async function observe(
  run: RunTexts,
  model: ModelProto,
  tensors: readonly string[],
): Promise<Map<string, Activations>> {
  const seen = new Map<string, Activations>();
  const { graph } = model;
  if (graph === undefined) return seen;
  const known = new Set(graph.output.map(({ name }) => name));
  const added = tensors
    .filter((name) => !known.has(name))
    .map((name) => create(ValueInfoProtoSchema, { name }));
  const open = { ...model, graph: { ...graph, output: [...graph.output, ...added] } };
  await run(writeModel(open), tensors, (tensor, rows, width) => {
    const one = seen.get(tensor) ?? new Activations(width);
    seen.set(tensor, one);
    one.add(rows);
  });
  return seen;
}

function matrixOf({ weights, isTurned, inputs, outputs }: LinearLayer, constants: Constants): Matrix {
  const { floats } = constants.floats(weights);
  if (!isTurned) return { inputs, outputs, numbers: floats };
  const numbers = floats.map((_, at) => floats[(at % outputs) * inputs + Math.floor(at / outputs)] ?? 0);
  return { inputs, outputs, numbers };
}
