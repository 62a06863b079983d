import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Embedmill, runCli, uniqueName } from '../embedmill.ts';

/** Tests what the benchmark and the calibration print, not how fast this machine is. */
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'embedmill-bench-test-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

interface Report {
  rows: { corpus: string; model: string; who: string; [figure: string]: unknown }[];
  latencies: { model: string; who: string; queries: number; p95: number }[];
  queue: { cpuMsPer100Documents: number };
}

test('bench calibrates first, measures every row, and leaves nothing behind', async () => {
  const temporary = join(folder, 'tmp');
  await mkdir(temporary);
  const { code, stdout, stderr } = await runCli(
    [
      ...['bench', '--json', '--data', folder, '--models', 'static-minilm-256'],
      ...['--corpora', 'mixed', '--repeats', '1', '--seconds', '0.2'],
    ],
    { env: { TMPDIR: temporary } },
  );
  expect(stderr).not.toMatch(/error/i);
  expect(code).toBe(0);
  const { rows, latencies, queue } = JSON.parse(stdout) as Report;
  expect(rows.find(({ who }) => who === 'E1')?.['detail']).toBe('one job per round, store: embedded');
  expect(rows.map(({ corpus, who }) => `${corpus} ${who}`)).toEqual(
    ['U', 'E0', 'P', 'E1', 'N32', 'N256'].map((who) => `mixed ${who}`),
  );
  for (const row of rows) {
    expect(row.model).toBe('static-minilm-256');
    for (const figure of ['tokensPerSecond', 'documentsPerSecond', 'rssMB']) {
      expect(row[figure], `${row.corpus} ${row.who} ${figure}`).toBeGreaterThan(0);
    }
    expect(row['padding']).toBeGreaterThanOrEqual(1);
  }
  const padding = (who: string) => Number(rows.find((row) => row.who === who)?.['padding']);
  expect(padding('N256')).toBeGreaterThan(2);
  expect(latencies).toMatchObject([{ who: 'E0' }, { who: 'E1' }]);
  for (const { queries } of latencies) expect(queries).toBeGreaterThan(0);
  expect(queue.cpuMsPer100Documents).toBeGreaterThan(0);
  expect(await readdir(temporary)).toEqual([]);
});

test('a long job reports the memory until its end', async () => {
  const { code, stdout } = await runCli(['bench', '--long', '3000', '--json', '--data', folder]);
  expect(code).toBe(0);
  const { documents, samples } = JSON.parse(stdout) as {
    documents: number;
    samples: { documents: number; worker: number; engines: number; redis: number }[];
  };
  expect(documents).toBe(3000);
  expect(samples.at(-1)).toMatchObject({ documents: 3000 });
  for (const { worker, engines, redis } of samples)
    expect(Math.min(worker, engines, redis)).toBeGreaterThan(5);
});

test('a calibration is kept, and workers start with it from then on', async () => {
  const { code, stdout } = await runCli([
    ...['bench', '--calibrate', '--json', '--data', folder, '--repeats', '1', '--seconds', '0.2'],
  ]);
  expect(code).toBe(0);
  const { calibrations } = JSON.parse(stdout) as {
    calibrations: { path: string; calibration: { model: string; area: number; layout: object } }[];
  };
  const [calibrated] = calibrations;
  expect(calibrated?.calibration).toMatchObject({ model: 'all-MiniLM-L6-v2', file: null });
  expect(calibrated?.path.startsWith(join(folder, 'models', 'calibration'))).toBe(true);

  const name = uniqueName('calibrated');
  const mill = await Embedmill.up({
    args: ['--verbose'],
    env: { EMBEDMILL_MODEL_CACHE_DIR: join(folder, 'models'), EMBEDMILL_WORKER_MODELS: 'all-MiniLM-L6-v2' },
  });
  try {
    await mill.json('/api/v1/collections', { name });
    const job = await mill.submit(name, '{"id":"a","text":"a text"}\n');
    expect(await mill.finished(job)).toMatchObject({ state: 'completed', stored: 1 });
    const { metrics } = await mill.state();
    expect((await fetch(metrics.worker.replace('/metrics', '/readyz'))).status).toBe(200);
    expect(await readdir(join(folder, 'models', 'graphs'))).toHaveLength(1);
  } finally {
    await mill.call(`/api/v1/collections/${name}`, { method: 'DELETE' }).catch(() => undefined);
    await mill.stop();
  }
});

test('an error names what cannot be benchmarked, and the available choices', async () => {
  const wrong = await runCli(['bench', '--corpora', 'tall', '--data', folder]);
  expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('short, mixed, long') as string });
  const unknown = await runCli(['bench', '--models', 'nope', '--who', 'E0', '--data', folder]);
  expect(unknown).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('there is no model "nope"') as string,
  });
  const env = { QDRANT_URL: '', MILVUS_URL: '' };
  const homeless = await runCli(['bench', '--store', 'qdrant', '--data', folder], { env });
  expect(homeless).toMatchObject({ code: 2, stderr: expect.stringContaining('set QDRANT_URL') as string });
});
