/**
 * `npm test`: all projects' tests, by nx. As each project ends, it is a line, or what failed is printed in full; at
 * the end come the failures in short, each with how to run it alone, and one line of what passed, failed, was
 * skipped, and why. What is given behind `npm test --` goes to nx.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NxOutput } from './nx-output.ts';
import { outcomeLines, passedLine, type ProjectReport } from './outcome.ts';

const began = performance.now();
const reports = mkdtempSync(join(tmpdir(), 'embedmill-reports-'));
process.on('exit', () => rmSync(reports, { recursive: true, force: true }));

const nx = fileURLToPath(new URL('../../node_modules/.bin/nx', import.meta.url));
const args = ['run-many', '-t', 'test', '--parallel=2', '--output-style=static', ...process.argv.slice(2)];
const colour = process.stdout.isTTY ? { FORCE_COLOR: '1' } : {};
const child = spawn(nx, args, {
  stdio: ['inherit', 'pipe', 'inherit'],
  env: { ...process.env, ...colour, TEST_REPORTS: reports },
});
const output = new NxOutput(
  (project) => {
    const report = readReports().find((one) => one.project === project);
    return report && passedLine(report);
  },
  (text) => process.stdout.write(text),
);
child.stdout.setEncoding('utf8').on('data', (text: string) => output.write(text));
// A Ctrl-C reaches nx by the terminal as well; what came of the tests until then is still told.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));

const exitCode = await new Promise<number>((resolve, reject) => {
  child.on('error', reject);
  child.on('close', (code, signal) =>
    resolve(code ?? (signal === null ? 1 : 128 + constants.signals[signal])),
  );
});
output.end();
const lines = outcomeLines(readReports(), exitCode, (performance.now() - began) / 1000);
process.stdout.write(`\n${lines.join('\n')}\n`);
process.exitCode = exitCode;

function readReports(): ProjectReport[] {
  return readdirSync(reports)
    .filter((name) => name.endsWith('.json'))
    .map((name) => JSON.parse(readFileSync(join(reports, name), 'utf8')) as ProjectReport)
    .sort((a, b) => a.project.localeCompare(b.project));
}
