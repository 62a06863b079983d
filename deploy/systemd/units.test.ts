import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const UNITS = fileURLToPath(new URL('.', import.meta.url));
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const systemd = existsSync('/usr/bin/systemd-analyze');

test.skipIf(!systemd).each(['embedmill.service', 'embedmill-api.service', 'embedmill-worker.service'])(
  `systemd accepts %s${systemd ? '' : ' (skipped: no systemd-analyze here)'}`,
  async (name) => {
    const folder = await mkdtemp(join(tmpdir(), 'embedmill-units-'));
    try {
      const unit = await readFile(join(UNITS, name), 'utf8');
      await writeFile(join(folder, name), unit.replaceAll('/opt/embedmill/', ROOT));
      const { stderr } = await promisify(execFile)('systemd-analyze', ['verify', join(folder, name)]);
      const ours = stderr.split('\n').filter((line) => line.includes('embedmill'));
      expect(ours).toEqual([]);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
);

test('the units start the program itself, not npm, which would not forward signals', async () => {
  const names = (await readdir(UNITS)).filter((name) => name.endsWith('.service'));
  expect(names).toHaveLength(3);
  for (const name of names) {
    const unit = await readFile(join(UNITS, name), 'utf8');
    const [, program, entry] = /^ExecStart=\/opt\/embedmill\/(\S+) (?:--\S+ )*(\S+)/m.exec(unit) ?? [];
    expect(program, name).toBe('node_modules/node/bin/node');
    expect(entry, name).toMatch(/^apps\/\w+\/(dist\/main|bin\/embedmill)\.js$/);
  }
});

test('the units start files that the build creates', async () => {
  for (const app of ['api', 'worker']) {
    const unit = await readFile(join(UNITS, `embedmill-${app}.service`), 'utf8');
    expect(unit).toMatch(new RegExp(`/node (--[a-z-]+=\\d+ )*apps/${app}/dist/main\\.js`));
    const { scripts } = JSON.parse(await readFile(join(ROOT, 'apps', app, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    expect(scripts['build']).toContain('src/main.ts');
  }
});
