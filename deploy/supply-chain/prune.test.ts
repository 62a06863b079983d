import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';

const PRUNE = fileURLToPath(new URL('../../prune.mjs', import.meta.url));
const { platform, arch } = process;
const RUNTIMES = 'node_modules/onnxruntime-node/bin/napi-v6';
const own = [
  `${RUNTIMES}/${platform}/${arch}/onnxruntime_binding.node`,
  `node_modules/tokenizers/tokenizers.${platform}-${arch}-abi.node`,
  `node_modules/tokenizers/tokenizers.${platform}-universal.node`,
  'node_modules/tokenizers/index.js',
  'node_modules/node/node_modules/node-here/bin/node',
  'node_modules/node/node_modules/.package-lock.json',
];
const others = [
  `${RUNTIMES}/${platform}/mips/onnxruntime_binding.node`,
  'node_modules/node/node_modules/node-here/include/node/v8.h',
  `${RUNTIMES}/plan9/${arch}/onnxruntime_binding.node`,
  `node_modules/tokenizers/tokenizers.plan9-${arch}.node`,
  `node_modules/tokenizers/tokenizers.${platform}-mips-abi.node`,
];

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'embedmill-prune-'));
  await copyFile(PRUNE, join(folder, 'prune.mjs'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function prune(env: Record<string, string> = {}): Promise<string[]> {
  await promisify(execFile)(process.execPath, [join(folder, 'prune.mjs')], { env: { ...env } });
  const found = await readdir(folder, { recursive: true, withFileTypes: true });
  return found
    .filter((one) => one.isFile() && one.name !== 'prune.mjs')
    .map((one) => join(one.parentPath, one.name).slice(folder.length + 1));
}

async function install(): Promise<void> {
  for (const path of [...own, ...others]) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), '');
  }
}

test('native libraries for other systems, and headers, go after an install, and nothing else', async () => {
  await install();
  expect((await prune()).toSorted()).toEqual(own.toSorted());
  expect((await prune()).toSorted()).toEqual(own.toSorted());
});

test('an install for another system, and one without these packages, is left alone', async () => {
  expect(await prune()).toEqual([]);
  await install();
  expect((await prune({ npm_config_cpu: 'arm64' })).toSorted()).toEqual([...own, ...others].toSorted());
});
