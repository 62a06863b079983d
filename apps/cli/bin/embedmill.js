#!/usr/bin/env node
// Starts the command line on a Node that can run it: the machine's own when it is new enough, else the one that was
// installed with it, which is a package of the platform's, or the `node` package in the repository. Kept in plain
// JavaScript that old Nodes can read.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import module from 'node:module';
import { constants, homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { arch, platform } from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const source = join(root, 'src', 'main.ts');
const entry = existsSync(source) ? source : join(root, 'dist', 'main.js');
const oldest = 24;
// Node compiles each file once, not at each start: more than half of a start. Children inherit the folder.
process.env.NODE_COMPILE_CACHE ??= join(homedir(), '.cache', 'embedmill', 'compiled');

if (Number(process.versions.node.split('.')[0]) >= oldest) {
  module.enableCompileCache(process.env.NODE_COMPILE_CACHE);
  await import(pathToFileURL(entry).href);
} else {
  const node = installedNode();
  if (node === undefined) {
    console.error(
      `embedmill needs Node ${oldest} or newer; this is ${process.version}, and none was installed with it.`,
    );
    process.exit(1);
  }
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' });
  // A Ctrl-C reaches the child by the terminal as well; it takes signals that come together for one.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    console.error(`embedmill cannot start ${node}: ${error.message}`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
}

function installedNode() {
  const { resolve } = module.createRequire(import.meta.url);
  const [system, program] = platform === 'win32' ? ['win', 'node.exe'] : [platform, 'node'];
  for (const name of [`node-${system}-${arch}`, 'node']) {
    try {
      const path = join(dirname(resolve(`${name}/package.json`)), 'bin', program);
      if (existsSync(path)) return path;
    } catch {
      // Not installed.
    }
  }
  return undefined;
}
