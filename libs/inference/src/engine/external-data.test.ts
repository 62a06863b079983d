import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ModelSession } from './session.ts';
import { encoderOfExternalWeights } from './tiny-models.fixture.ts';

/**
 * A model's file names the location of its external weights, but they are read only from the file's own folder. ONNX
 * Runtime enforces this, and its next version must, too.
 */
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'embedmill-external-'));
  await mkdir(join(folder, 'model'));
  for (const path of ['model/weights.bin', 'secret.bin'])
    await writeFile(join(folder, path), new Uint8Array(new Float32Array([2, 3]).buffer));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function load(location: string): Promise<ModelSession> {
  const path = join(folder, 'model', 'model.onnx');
  await writeFile(path, encoderOfExternalWeights(location));
  const graph = { level: 'all', without: [] } as const;
  const model = { kind: 'dense', path, pooling: 'mean', normalize: false, padTokenId: 0 } as const;
  return ModelSession.load(model, { device: { kind: 'cpu', threads: 1 }, graph });
}

test('weights beside the model are read', async () => {
  const session = await load('weights.bin');
  const batch = { ids: Int32Array.of(5), lengths: Int32Array.of(1), urgent: false };
  expect([...(await session.run(batch)).vectors]).toEqual([10, 15]);
});

test.each([
  ['above', () => '../secret.bin'],
  ['above, by a way around', () => 'x/../../secret.bin'],
  ['at an absolute path', () => join(folder, 'secret.bin')],
  ['in a system file', () => '/etc/passwd'],
])('weights %s are refused when the model is loaded', async (_where, location) => {
  await expect(load(location())).rejects.toMatchObject({
    code: 'model_corrupt',
    message: expect.stringMatching(/External data path/),
  });
});

test('weights behind a link that leaves the folder are refused', async () => {
  await symlink(join(folder, 'secret.bin'), join(folder, 'model', 'link.bin'));
  await expect(load('link.bin')).rejects.toMatchObject({
    code: 'model_corrupt',
    message: expect.stringMatching(/escapes model directory/),
  });
});
