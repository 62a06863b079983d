/** Which models can be quantized, and why others cannot. */
import type { Site } from './linear-layers.ts';
import { MICROSOFT } from './onnx-model.ts';
import { TensorProto_DataType, type GraphProto } from './onnx_pb.js';

const INTEGER_OPERATORS =
  /^(?:Dynamic)?QuantizeLinear$|^DequantizeLinear$|MatMulInteger|^QLinear|^QGemm$|^QAttention$|NBits$|BlockQuantized$/;
/** Inputs for a decoder's cached keys and values. */
const PAST = /^past[_.]/;

/** Throws a RangeError with the reason why not. */
export function assertQuantizable(graph: GraphProto, sites: readonly Site[]): void {
  const reason = reasonAgainst(graph, sites);
  if (reason !== undefined) throw new RangeError(reason);
}

function reasonAgainst({ input, node, initializer }: GraphProto, sites: readonly Site[]): string | undefined {
  const integer = node.find(({ opType }) => INTEGER_OPERATORS.test(opType));
  if (integer !== undefined)
    return `it is already quantized (its graph has ${integer.opType}); use its float32 file`;
  if (
    input.some(({ name }) => PAST.test(name)) ||
    node.some(({ opType }) => opType === 'GroupQueryAttention')
  )
    return 'it is a decoder (its graph takes keys and values of earlier tokens); only encoders such as BERT can be quantized';
  const fused = node.find(({ opType, domain }) => domain === MICROSOFT && opType.endsWith('Attention'));
  if (fused !== undefined)
    return `its linear layers are fused into ${fused.opType}; use the file that was exported without optimizations`;
  if (sites.length > 0) return undefined;
  const isHalf = initializer.some(({ dataType }) => dataType === TensorProto_DataType.FLOAT16);
  return isHalf
    ? 'its weights are float16; use its float32 file'
    : 'its graph has no linear layers: no MatMul or Gemm with a constant float32 matrix';
}
