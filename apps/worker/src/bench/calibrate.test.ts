import fc from 'fast-check';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { machineFor } from '@embedmill/embed/pipeline';
import { offeredFiles, resolveModel, type OfferedFile } from '@embedmill/models';
import { compareVectors } from './agreement.ts';
import { calibrate, cpuLayouts, fastest } from './calibrate.ts';
import { launchCostOf } from './measuring.ts';

describe('fastest', () => {
  it('takes the first of those that tie with the best', () => {
    expect(fastest([100, 101, 80])).toBe(0);
    expect(fastest([80, 100, 101])).toBe(1);
    expect(fastest([0, 5])).toBe(1);
  });
});

describe('launchCostOf', () => {
  it('finds the launch cost that times were made with', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 5000 }),
        fc.double({ min: 1e-7, max: 1e-3, noNaN: true }),
        (launch, perToken) => {
          const timed = [16, 64, 256, 1024].map((area) => ({ area, seconds: (area + launch) * perToken }));
          expect(Math.abs(launchCostOf(timed) - launch)).toBeLessThanOrEqual(1);
        },
      ),
    );
  });

  it('is 0 if it cannot be determined', () => {
    expect(launchCostOf([])).toBe(0);
    expect(launchCostOf([{ area: 128, seconds: 10 }])).toBe(0);
    expect(
      launchCostOf([
        { area: 128, seconds: 10 },
        { area: 256, seconds: 5 },
      ]),
    ).toBe(0);
  });
});

describe('cpuLayouts', () => {
  it('uses all CPUs where threads divide them, and never more', () => {
    expect(cpuLayouts(1)).toEqual([{ processes: 1, threads: 1 }]);
    expect(cpuLayouts(2)).toEqual([
      { processes: 2, threads: 1 },
      { processes: 1, threads: 2 },
    ]);
    for (let cpus = 1; cpus <= 96; cpus += 1) {
      for (const { processes, threads } of cpuLayouts(cpus)) {
        expect(processes * threads).toBeLessThanOrEqual(cpus);
      }
    }
  });
});

describe('compareVectors', () => {
  it('gives the least cosines, and 0 for vectors of another size', () => {
    const [x, y] = [Float32Array.of(1, 0), Float32Array.of(0.8, 0.6)];
    expect(compareVectors([x, x], [x, y], [x, y])).toEqual({
      minCosine: expect.closeTo(0.8, 6) as number,
      batchCosine: expect.closeTo(1, 6) as number,
    });
    expect(compareVectors([x], [Float32Array.of(1)], [Float32Array.of(1)]).minCosine).toBe(0);
  });
});

const root = join(import.meta.dirname, '../../../..');
const shared = join(process.env['EMBEDMILL_SHARED'] ?? join(root, '../shared'), 'models');
const modelsDir = [shared].find((path) => existsSync(join(path, 'all-MiniLM-L6-v2/model.onnx')));

describe.skipIf(modelsDir === undefined)('calibrate (skipped without EMBEDMILL_SHARED)', () => {
  it(
    'tries every file, leaves out what has other vectors, and chooses what is fastest',
    { timeout: 180_000 },
    async () => {
      const options = { modelsDir, cacheDir: '/nowhere' };
      const own = await resolveModel('all-MiniLM-L6-v2-fp32', options);
      const offered = await offeredFiles('all-MiniLM-L6-v2-fp32', options);
      const files: { file: OfferedFile; model: typeof own }[] = [];
      for (const file of offered.filter(({ path }) => path !== 'model_attentions.onnx')) {
        files.push({ file, model: await resolveModel('all-MiniLM-L6-v2-fp32', { ...options, file }) });
      }
      expect(files.map(({ file }) => file.path)).toEqual([
        'model.onnx',
        'model_int8.onnx',
        'model_optimized.onnx',
      ]);
      const notes: string[] = [];
      const sequences = Array.from({ length: 200 }, (_, n) =>
        Int32Array.from(
          { length: 4 + ((n * 37) % 60) },
          (_token, at) => 1000 + ((n * 7919 + at * 31) % 20_000),
        ),
      );
      const calibration = await calibrate({
        files,
        sequences,
        minCosine: 0.999,
        devices: [{ kind: 'cpu', threads: 1 }],
        machine: machineFor('cpu', 1),
        note: (text) => notes.push(text),
        effort: { rounds: 1, lookSeconds: 0.05 },
      });
      expect(notes).toContainEqual(expect.stringMatching(/^model_int8\.onnx: skipped: its vectors differ/));
      expect(calibration.file?.path ?? 'model.onnx').toMatch(/^model(_optimized)?\.onnx$/);
      expect(calibration).toMatchObject({
        model: own.name,
        revision: own.revision,
        layout: { processes: 1, threads: 1 },
      });
      expect(calibration.tokensPerSecond).toBeGreaterThan(0);
    },
  );
});
