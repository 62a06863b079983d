import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig, type TestUserConfig } from 'vitest/config';
import { Recorder } from './recorder.ts';

/**
 * A limit for what hangs. It is generous, because real processes, stores and a real Redis are slow on a busy machine.
 */
const PATIENCE_MS = 180_000;

/**
 * How the tests of a project run: its `vitest.config.mjs` exports this. Started by `npm test` (test/suite/run.ts), a
 * project prints only its failures, and leaves its results in the folder TEST_REPORTS.
 */
export function projectTests(its: TestUserConfig = {}) {
  const reports = process.env['TEST_REPORTS'] ?? '';
  return defineConfig({
    test: {
      testTimeout: PATIENCE_MS,
      hookTimeout: PATIENCE_MS,
      // For `expect.poll`, whose default is a second.
      expect: { poll: { timeout: PATIENCE_MS / 3 } },
      // Files of a project share one process: loading its modules for each file would take longer than many tests.
      isolate: false,
      setupFiles: [fileURLToPath(new URL('seed.ts', import.meta.url))],
      ...(reports !== '' && { reporters: ['minimal', new Recorder(reports, nameOf(process.cwd()))] }),
      ...its,
    },
  });
}

function nameOf(folder: string): string {
  const path = join(folder, 'package.json');
  if (!existsSync(path)) return folder;
  return (JSON.parse(readFileSync(path, 'utf8')) as { name: string }).name;
}
