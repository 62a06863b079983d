import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import {
  calibratedRevision,
  calibrationPath,
  machineFor,
  readCalibration,
  saveCalibration,
  type Calibration,
} from './calibration.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'embedmill-calibration-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const machine = machineFor('cpu', 8);
const calibration: Calibration = {
  format: 1,
  model: 'mini',
  revision: 'sha256:1',
  machine,
  file: null,
  graph: { level: 'all', without: ['SkipLayerNormFusion'] },
  layout: { processes: 4, threads: 2 },
  area: 768,
  launchCost: 12,
  tokensPerSecond: 20_000,
  measuredAt: '2026-11-24T06:00:00.000Z',
};
const model = { name: 'mini', revision: 'sha256:1' };

it('is read as it was saved, for the same model on the same machine', async () => {
  const path = await saveCalibration(folder, calibration);
  expect(path).toBe(calibrationPath(folder, model, machine));
  expect(await readCalibration(folder, model, machine)).toEqual(calibration);
  await saveCalibration(folder, { ...calibration, area: 512 });
  expect(await readCalibration(folder, model, machine)).toMatchObject({ area: 512 });
  expect(await readdir(join(folder, 'calibration'))).toHaveLength(1);
});

it('is none for another model, revision, machine or runtime', async () => {
  await saveCalibration(folder, calibration);
  expect(await readCalibration(folder, { ...model, name: 'other' }, machine)).toBeUndefined();
  expect(await readCalibration(folder, { ...model, revision: 'sha256:2' }, machine)).toBeUndefined();
  for (const other of [{ cpus: 4 }, { cpu: 'another' }, { device: 'cuda' }, { runtime: '0.0.1' }]) {
    expect(await readCalibration(folder, model, { ...machine, ...other })).toBeUndefined();
  }
});

it('is none when what is there cannot be read', async () => {
  const path = await saveCalibration(folder, calibration);
  for (const text of ['', '{', '{}', JSON.stringify({ ...calibration, area: -1 })]) {
    await writeFile(path, text);
    expect(await readCalibration(folder, model, machine)).toBeUndefined();
  }
});

it('is read without what a later release adds to it, unless that has to be understood', async () => {
  const path = await saveCalibration(folder, calibration);
  await writeFile(path, JSON.stringify({ ...calibration, warmUpRuns: 3 }));
  expect(await readCalibration(folder, model, machine)).toEqual(calibration);
  await writeFile(path, JSON.stringify({ ...calibration, unit: 'words', needs: ['unit'] }));
  expect(await readCalibration(folder, model, machine)).toBeUndefined();
});

it('makes another revision of a model only when its vectors are others', () => {
  const file = { path: 'onnx/other.onnx', data: [], minCosine: 0.99995 };
  expect(calibratedRevision('abc', calibration)).toBe('abc');
  expect(calibratedRevision('abc', { ...calibration, file })).toBe('abc');
  expect(calibratedRevision('abc', { ...calibration, file: { ...file, minCosine: 0.99 } })).toBe(
    'abc#onnx/other.onnx',
  );
});
