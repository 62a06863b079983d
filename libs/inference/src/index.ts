export { availableCpus, defaultLayout, type EngineLayout } from './cpus.ts';
export type { Engine, EngineBatch, EngineResult } from './engine.ts';
export { EngineProcess, type EngineEvent, type EngineProcessOptions } from './engine-process.ts';
export { deviceLabel, parseDevices, type Device, type DeviceName } from './device.ts';
export type { EngineModel, GraphTuning } from './engine/protocol.ts';
export { serveEngine } from './engine/serve.ts';
