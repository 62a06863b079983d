import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** The path of a program on the PATH; undefined if it is not there. */
export function programPath(name: string): string | undefined {
  return (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find((path) => existsSync(path));
}

export const PROMTOOL = programPath('promtool');

/** Appended to the names of tests that need promtool, if it is missing. */
export const WITHOUT_PROMTOOL = PROMTOOL === undefined ? ' (skipped: no promtool here)' : '';

/** Runs promtool with `input` on its standard input. Resolves with its exit code and its whole output. */
export function promtool(args: readonly string[], input = ''): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    const child = execFile(PROMTOOL ?? 'promtool', args, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), output: stdout + stderr });
    });
    child.stdin?.on('error', () => {
      // It ended before it had read all of its input; its output says why.
    });
    child.stdin?.end(input);
  });
}
