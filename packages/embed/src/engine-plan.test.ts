import { expect, it } from 'vitest';
import { modelEntrySchema, type ResolvedModel } from '@embedmill/models';
import { machineFor, type Calibration } from './calibration.ts';
import { planEngines, type EngineSettings } from './engine-plan.ts';

const model: ResolvedModel = {
  ...modelEntrySchema.parse({
    name: 'mini',
    dims: 4,
    pooling: 'mean',
    maxTokens: 64,
    license: 'mit',
    model: { path: 'model.onnx' },
    source: { kind: 'local', folder: 'mini' },
  }),
  modelPath: '/models/mini/model.onnx',
  modelBytes: 25e6,
  tokenizerPath: '/models/mini/tokenizer.json',
  revision: 'sha256:1',
  sha256: '1'.repeat(64),
  visionPath: undefined,
  layerPaths: new Map(),
};
const machine = machineFor('cpu', 2);
const settings: EngineSettings = {
  devices: [{ kind: 'cpu' }],
  machine,
  modelCacheFolder: '/cache',
  tensorrt: false,
};
const calibration: Calibration = {
  format: 1,
  model: 'mini',
  revision: 'sha256:1',
  machine,
  file: null,
  graph: { level: 'basic', without: [] },
  layout: { processes: 1, threads: 2 },
  area: 1024,
  launchCost: 3,
  tokensPerSecond: 1000,
  measuredAt: '2026-11-24T06:00:00.000Z',
};

it('gives each CPU an engine of one thread where nothing was measured', () => {
  const plan = planEngines(model, settings, undefined);
  expect(plan.devices).toEqual([
    { kind: 'cpu', threads: 1 },
    { kind: 'cpu', threads: 1 },
  ]);
  expect(plan).toMatchObject({ area: 384, graph: { level: 'all', without: ['SkipLayerNormFusion'] } });
  expect(planEngines({ ...model, batchArea: 9000 }, settings, undefined).area).toBe(9000);
});

it('does as was measured, but for an area that the user has set', () => {
  const plan = planEngines(model, settings, calibration);
  expect(plan.devices).toEqual([{ kind: 'cpu', threads: 2 }]);
  expect(plan).toMatchObject({ area: 1024, launchCost: 3, graph: { level: 'basic', without: [] } });
  expect(planEngines(model, { ...settings, area: 300 }, calibration).area).toBe(300);
});

it('keeps the optimized graph by what it depends on, and none of a large model or of a GPU', () => {
  const cache = planEngines(model, settings, undefined).graphCache;
  expect(cache).toMatch(/^\/cache\/graphs\/mini-[0-9a-f]{12}\.onnx$/);
  expect(planEngines(model, settings, calibration).graphCache).not.toBe(cache);
  expect(planEngines({ ...model, sha256: '2'.repeat(64) }, settings, undefined).graphCache).not.toBe(cache);
  expect(planEngines({ ...model, modelBytes: 2e9 }, settings, undefined).graphCache).toBeUndefined();
  expect(planEngines({ ...model, data: [{ path: 'd' }] }, settings, undefined).graphCache).toBeUndefined();
  expect(
    planEngines(model, { ...settings, devices: [{ kind: 'webgpu' }] }, undefined).graphCache,
  ).toBeUndefined();
});

it('gives each GPU one engine, with TensorRT where it is wanted', () => {
  const devices: EngineSettings['devices'] = [
    { kind: 'cuda', index: 0 },
    { kind: 'cuda', index: 1 },
  ];
  expect(planEngines(model, { ...settings, devices }, undefined)).toMatchObject({
    devices,
    area: 16_384,
    graph: { level: 'all', without: [] },
  });
  const cacheFolder = `/cache/tensorrt/${'1'.repeat(12)}`;
  expect(planEngines(model, { ...settings, devices, tensorrt: true }, undefined).devices).toEqual(
    devices.map((device) => ({ ...device, tensorrt: { cacheFolder } })),
  );
});
