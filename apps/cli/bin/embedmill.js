#!/usr/bin/env node
// Starts the command line on Node 22 or newer: the machine's own Node when it is new enough,
// else the one that the `node` package installed. Kept in plain JavaScript that old Nodes can read.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const source = join(root, 'src', 'main.ts');
const entry = existsSync(source) ? source : join(root, 'dist', 'main.js');
const oldest = entry === source ? 24 : 22;

if (Number(process.versions.node.split('.')[0]) >= oldest) {
  await import(entry);
} else {
  let node;
  try {
    node = join(dirname(createRequire(import.meta.url).resolve('node/package.json')), 'bin', 'node');
  } catch {
    node = '';
  }
  if (!existsSync(node)) {
    console.error(
      `embedmill needs Node ${oldest} or newer; this is ${process.version}. Run "npm install" here first.`,
    );
    process.exit(1);
  }
  const run = spawnSync(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: 'inherit',
  });
  process.exit(run.status ?? 1);
}
