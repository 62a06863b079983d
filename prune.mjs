// After `npm install` in a checkout: removes native libraries for other systems, which two packages bring for all of them
// (295 MB), and the headers of Node (65 MB). Who installs for another system (--os, --cpu) keeps all. Published packages do
// not run this.
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

const { platform, arch, env } = process;
const modules = join(import.meta.dirname, 'node_modules');
const runtimes = join(modules, 'onnxruntime-node/bin/napi-v6');
const nodes = join(modules, 'node/node_modules');
const tokenizers = join(modules, 'tokenizers');

async function listed(folder) {
  try {
    return await readdir(folder);
  } catch (error) {
    if (error.code === 'ENOENT') return [];
    throw error;
  }
}

const others = [];
for (const system of await listed(runtimes))
  for (const cpu of await listed(join(runtimes, system)))
    if (system !== platform || cpu !== arch) others.push(join(runtimes, system, cpu));
for (const file of await listed(tokenizers)) {
  const [, system, cpu] = /^tokenizers\.([a-z0-9]+)-([a-z0-9]+)[\w-]*\.node$/.exec(file) ?? [];
  const isOwn = system === platform && (cpu === arch || cpu === 'universal');
  if (system !== undefined && !isOwn) others.push(join(tokenizers, file));
}
for (const node of await listed(nodes))
  if (node.startsWith('node-')) others.push(join(nodes, node, 'include'), join(nodes, node, 'share'));
if (!env.npm_config_os && !env.npm_config_cpu)
  for (const path of others) await rm(path, { recursive: true, force: true });
