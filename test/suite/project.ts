import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig, type TestUserConfig } from 'vitest/config';
import { Recorder } from './recorder.ts';

/**
 * Real processes, real stores and a real Redis are slow on a machine that does many other things besides: this bounds
 * what hangs.
 */
const PATIENCE_MS = 180_000;

/**
 * How the tests of a project are run: its `vitest.config.mjs` exports this. Started by `npm test` (test/suite/run.ts),
 * a project prints its failures only, and leaves what came of its tests in the folder TEST_REPORTS.
 */
export function projectTests(its: TestUserConfig = {}) {
  const reports = process.env['TEST_REPORTS'] ?? '';
  return defineConfig({
    test: {
      testTimeout: PATIENCE_MS,
      hookTimeout: PATIENCE_MS,
      // Of `expect.poll`; a second by default.
      expect: { poll: { timeout: PATIENCE_MS / 3 } },
      // Files of a project share one process: to load its modules anew for each would take longer than many tests do.
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
