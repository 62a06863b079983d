/**
 * `npm test`: all projects' tests, by nx, in two lanes. As each project ends, it is a line, or what failed is printed
 * in full; at the end come the failures in short, each with how to run it alone, and one line of what passed, failed,
 * was skipped, and why. What is given behind `npm test --` goes to nx. The folder TEST_REPORTS, where it is given, keeps
 * each project's report, with what its files took.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NxOutput } from './nx-output.ts';
import { outcomeLines, passedLine, type ProjectReport } from './outcome.ts';

const NX = fileURLToPath(new URL('../../node_modules/.bin/nx', import.meta.url));
/**
 * The tests of many processes take as long as all others together, and wait for most of it. nx would start them last,
 * because what depends on most comes last.
 */
const LANES = [
  ['-p', '@embedmill/test', '--parallel=1'],
  // These wait less for one another, and two of them leave a core to each lane.
  ['--exclude', '@embedmill/test', '--parallel=2'],
];

const began = performance.now();
const { TEST_REPORTS: given = '' } = process.env;
const reports = given || mkdtempSync(join(tmpdir(), 'embedmill-reports-'));
if (given === '') process.on('exit', () => rmSync(reports, { recursive: true, force: true }));

const children: ChildProcess[] = [];
// A Ctrl-C reaches nx by the terminal as well; what came of the tests until then is still told.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => children.forEach((child) => child.kill(signal)));

const options = process.argv.slice(2);
const codes = await Promise.all((options.length > 0 ? [['--parallel=2', ...options]] : LANES).map(runLane));
const exitCode = codes.find((code) => code !== 0) ?? 0;
const lines = outcomeLines(readReports(), exitCode, (performance.now() - began) / 1000);
process.stdout.write(`\n${lines.join('\n')}\n`);
process.exitCode = exitCode;

/** Gives nx's exit code. */
function runLane(args: readonly string[]): Promise<number> {
  const colour = process.stdout.isTTY ? { FORCE_COLOR: '1' } : {};
  const child = spawn(NX, ['run-many', '-t', 'test', '--output-style=static', ...args], {
    stdio: ['inherit', 'pipe', 'inherit'],
    env: { ...process.env, ...colour, TEST_REPORTS: reports },
  });
  children.push(child);
  const output = new NxOutput(
    (project) => {
      const report = readReports().find((one) => one.project === project);
      return report && passedLine(report);
    },
    (text) => process.stdout.write(text),
  );
  child.stdout.setEncoding('utf8').on('data', (text: string) => output.write(text));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      output.end();
      resolve(code ?? (signal === null ? 1 : 128 + constants.signals[signal]));
    });
  });
}

function readReports(): ProjectReport[] {
  return readdirSync(reports)
    .filter((name) => name.endsWith('.json'))
    .map((name) => JSON.parse(readFileSync(join(reports, name), 'utf8')) as ProjectReport)
    .sort((a, b) => a.project.localeCompare(b.project));
}
