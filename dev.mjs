// npm run dev: everything on this machine with reload on change. `embedmill up` starts Redis, the store, the API and a
// worker; a process whose sources change is stopped, and up starts it again from them within a second, as it does with
// any that ends. What runs goes on where it was. The console comes from Vite, which replaces what changes in the page.
import { spawn } from 'node:child_process';
import { readFileSync, watch } from 'node:fs';
import { join } from 'node:path';
import { clearTimeout, setTimeout } from 'node:timers';

const ROOT = import.meta.dirname;
const UP_FILE = join(process.env.EMBEDMILL_DATA_DIR ?? join(ROOT, '.embedmill'), 'up.json');
/** Editors write a file more than once. */
const SETTLED_MS = 200;

/** Whose sources they are, by folder. */
const RUN_FROM = {
  'apps/api/src': ['api'],
  'apps/worker/src': ['worker'],
  'packages/embed/src': ['worker'],
  libs: ['store', 'api', 'worker'],
};

const node = (...args) => spawn(process.execPath, args, { cwd: ROOT, stdio: 'inherit' });
const up = node('apps/cli/bin/embedmill.js', 'up', '--verbose', ...process.argv.slice(2));
const vite = spawn(process.execPath, [join(ROOT, 'node_modules/vite/bin/vite.js')], {
  cwd: join(ROOT, 'apps/console'),
  stdio: 'inherit',
});

const changed = new Set();
let timer;
for (const [folder, parts] of Object.entries(RUN_FROM))
  watch(join(ROOT, folder), { recursive: true }, (_event, name) => {
    if (name === null || !name.endsWith('.ts') || /\.test\.ts$|node_modules|out-tsc/.test(name)) return;
    for (const part of parts) changed.add(part);
    clearTimeout(timer);
    timer = setTimeout(reload, SETTLED_MS);
  });

function reload() {
  let processes;
  try {
    ({ processes } = JSON.parse(readFileSync(UP_FILE, 'utf8')));
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
    // Not up yet: what has started by now may be of before.
    timer = setTimeout(reload, SETTLED_MS * 5);
    return;
  }
  process.stdout.write(`reloading: ${[...changed].join(', ')}\n`);
  for (const part of changed) if (processes[part] !== null) stop(processes[part]);
  changed.clear();
}

function stop(pid) {
  try {
    process.kill(pid, 'SIGTERM');
  } catch (error) {
    // It has ended already, and is started from what is there now.
    if (error.code !== 'ESRCH') throw error;
  }
}

// A Ctrl-C reaches all of them by the terminal; up drains what it started, and this ends with it.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => up.kill(signal));
up.on('exit', (code) => {
  vite.kill();
  process.exit(code ?? 1);
});
