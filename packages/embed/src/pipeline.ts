/** What a worker, which has more to do than to embed texts, takes of this package; it is not published. */
export {
  machineFor,
  readCalibration,
  saveCalibration,
  type Calibration,
  type Machine,
} from './calibration.ts';
export { assertDense } from './chosen-model.ts';
export { ModelEmbedder } from './embedder.ts';
export { Encoder, type Embedding, type EncoderHooks, type Outcome, type Sequence } from './encoder.ts';
export { calibratedPlan, planEngines, type EnginePlan, type EngineSettings } from './engine-plan.ts';
export { ENGINE_ENTRY, startEngines, type EngineStart } from './engines.ts';
