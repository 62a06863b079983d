export { agreementOf, type Agreement } from './agreement.ts';
export type { ReadExternal } from './onnx-model.ts';
export {
  quantizeModel,
  type QuantizedModel,
  type QuantizeOptions,
  type RunTexts,
  type Stage,
  type TakeRows,
} from './quantize.ts';
