export { BareSession, serveBareSession, type BareSessionOptions } from './bare-session.ts';
export { availableCpus, availableMemory, defaultLayout, type EngineLayout } from './cpus.ts';
export { deviceLabel, parseDevices, type Device, type DeviceName } from './device.ts';
export type { Engine, EngineBatch, EngineResult } from './engine.ts';
export { EngineProcess, type EngineEvent, type EngineProcessOptions } from './engine-process.ts';
export type { EngineModel, GraphTuning } from './engine/protocol.ts';
export { serveEngine } from './engine/serve.ts';
export { defaultGraph } from './engine/session-options.ts';
export { RUNTIME_VERSION } from './runtime-version.ts';
