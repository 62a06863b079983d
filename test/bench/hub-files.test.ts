import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runCli } from '../embedmill.ts';
import { HUB_ENTRY, startFakeHub } from '../fake-hub.ts';

test('a calibration downloads the hub’s other model files and judges them by their vectors', async () => {
  const hub = await startFakeHub();
  hub.up = true;
  const data = await mkdtemp(join(tmpdir(), 'embedmill-models-'));
  await writeFile(join(data, 'models.json'), JSON.stringify([HUB_ENTRY]));
  const env = { EMBEDMILL_MODELS_DIR: data, EMBEDMILL_HUB_URL: hub.url };
  const calibrate = [
    'bench',
    '--calibrate',
    '--data',
    data,
    '--models',
    'tiny',
    '--repeats',
    '1',
    '--seconds',
    '1',
  ];
  try {
    const all = await runCli(calibrate, { env });
    expect(all).toMatchObject({ code: 0 });
    expect(all.stderr).toMatch(
      /onnx\/other\.onnx: skipped: its vectors differ|onnx\/other\.onnx: skipped: .*256/,
    );
    expect(all.stderr).toMatch(/onnx\/broken\.onnx: skipped: .*not a complete ONNX file/);
    expect(all.stderr).toMatch(/onnx\/same\.onnx, graph all.*tokens\/s/);
    const own = await runCli([...calibrate, '--files', 'nothing-else'], { env });
    expect(own.stderr).not.toContain('same.onnx');
    hub.up = false;
    const alone = await runCli(calibrate, { env });
    expect(alone).toMatchObject({ code: 0 });
    expect(alone.stderr).toContain('trying only its own file');
  } finally {
    hub.close();
    await rm(data, { recursive: true, force: true });
  }
});
