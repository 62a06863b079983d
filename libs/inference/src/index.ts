export { BareSession, serveBareSession, type BareSessionOptions } from './bare-session.ts';
export { availableCpus, availableMemory, defaultLayout, type EngineLayout } from './cpus.ts';
export { deviceLabel, parseDevices, type Device, type DeviceName } from './device.ts';
export type {
  Engine,
  EngineBatch,
  EngineOutput,
  EngineResult,
  PackedSparse,
  TokenVectorForm,
} from './engine.ts';
export { engineModel } from './engine-model.ts';
export { EngineProcess, type EngineEvent, type EngineProcessOptions } from './engine-process.ts';
export { probeGraph, type Probe } from './graph-probe.ts';
export { GRAPH_VERSION } from './engine/output-graph.ts';
export type {
  DenseModel,
  EngineModel,
  GraphTuning,
  Projection,
  RerankerModel,
  SparseModel,
  TokenHead,
  ImageModel,
} from './engine/protocol.ts';
export { RemoteEngine, type RemoteEngineEvent, type RemoteEngineOptions } from './remote-engine.ts';
export { serveEngine } from './engine/serve.ts';
export { defaultGraph } from './engine/session-options.ts';
export { RUNTIME_VERSION } from './runtime-version.ts';
