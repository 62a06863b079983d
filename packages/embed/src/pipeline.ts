/** The parts of this package that a worker uses for more than embedding texts; not published. */
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
