export { availableCpus, defaultLayout, type EngineLayout } from './cpus.ts';
export type { Engine, EngineBatch, EngineResult } from './engine.ts';
export { EngineProcess, type EngineEvent, type EngineProcessOptions } from './engine-process.ts';
export type { EngineModel, SessionTuning } from './engine/protocol.ts';
export { RemoteEngine, type RemoteEngineEvent, type RemoteEngineOptions } from './remote-engine.ts';
export { serveEngine } from './engine/serve.ts';
