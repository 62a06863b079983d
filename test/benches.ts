/**
 * `npm run bench -- NAME …` runs one of the benchmarks below with the remaining arguments. Without a name it is
 * `embedmill bench`.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';

const EMBEDMILL_BENCH = ['apps/cli/bin/embedmill.js', 'bench'];
const BENCHES: Readonly<Record<string, readonly string[]>> = {
  attacks: ['test/attacks/report.ts'],
  batches: ['test/bench-batches.ts'],
  beside: ['test/bench-beside.ts'],
  check: ['test/bench-ratios.ts'],
  console: ['test/browser/measure.ts'],
  living: ['test/bench-living.ts'],
  load: ['test/bench-load.ts'],
  long: [...EMBEDMILL_BENCH, '--long', '1000000'],
  peers: ['test/bench-peers/bench-peers.ts'],
  scale: [...EMBEDMILL_BENCH, '--scale', '3', '--repeats', '3', '--seconds', '20'],
  search: ['test/bench-search.ts'],
  simulation: ['test/bench-simulation.ts'],
  source: ['test/bench-large-source.ts'],
};

const [name = '', ...rest] = process.argv.slice(2);
const isNamed = name !== '' && !name.startsWith('-');
const bench = isNamed ? BENCHES[name] : EMBEDMILL_BENCH;
if (bench === undefined) {
  process.stderr.write(`there is no benchmark ${name}; there are ${Object.keys(BENCHES).join(', ')}\n`);
  process.exit(2);
}
const child = spawn(process.execPath, [...bench, ...(isNamed ? rest : process.argv.slice(2))], {
  cwd: join(import.meta.dirname, '..'),
  stdio: 'inherit',
});
child.on('exit', (code) => {
  process.exitCode = code ?? 1;
});
