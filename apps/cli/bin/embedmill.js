#!/usr/bin/env node
// Starts the command line on a Node that can run it: the machine's own when it is new enough, else the one
// that the `node` package installed. Kept in plain JavaScript that old Nodes can read.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const source = join(root, 'src', 'main.ts');
const entry = existsSync(source) ? source : join(root, 'dist', 'main.js');
const oldest = entry === source ? 24 : 22;

if (Number(process.versions.node.split('.')[0]) >= oldest) {
  await import(pathToFileURL(entry).href);
} else {
  let node = '';
  try {
    node = join(dirname(createRequire(import.meta.url).resolve('node/package.json')), 'bin', 'node');
  } catch {
    // Not installed: said below.
  }
  if (!existsSync(node)) {
    console.error(
      `embedmill needs Node ${oldest} or newer; this is ${process.version}. Run "npm install" here first.`,
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
