/**
 * `npm test`: runs all projects' tests with nx, in three lanes. As each project ends, prints one line, or its failures in
 * full. At the end, prints a summary of the failures, each with the command that runs it alone, and one line that says
 * how many tests passed, failed and were skipped, and why. Arguments after `npm test --` go to nx. The folder
 * TEST_REPORTS, if set, keeps each project's report with the seconds of each file.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NxOutput } from './nx-output.ts';
import { outcomeLines, passedLine, type ProjectReport } from './outcome.ts';

const MODULES = fileURLToPath(new URL('../../node_modules/', import.meta.url));
const NX = join(MODULES, '.bin', 'nx');
/** What Node has compiled, for all processes that tests start. */
const COMPILED = join(MODULES, '.cache', 'compiled');
/**
 * Three projects at a time leave little of two cores idle. nx starts last what depends on most, and that takes longest: so
 * each lane begins with a long project, and all take about the same time.
 */
const LANES = [
  ['--parallel=1', '-p', '@embedmill/test,@embedmill/vector-store'],
  ['--parallel=1', '-p', '@embedmill/api,@embedmill/tokenization'],
  [
    '--parallel=1',
    '--exclude',
    '@embedmill/test,@embedmill/vector-store,@embedmill/api,@embedmill/tokenization',
  ],
];

const began = performance.now();
const { TEST_REPORTS: given = '' } = process.env;
const reports = given || mkdtempSync(join(tmpdir(), 'embedmill-reports-'));
if (given === '') process.on('exit', () => rmSync(reports, { recursive: true, force: true }));

const children: ChildProcess[] = [];
// nx also gets a Ctrl-C from the terminal; the results up to then are still reported.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => children.forEach((child) => child.kill(signal)));

const options = process.argv.slice(2);
const codes = await Promise.all((options.length > 0 ? [['--parallel=2', ...options]] : LANES).map(runLane));
const exitCode = codes.find((code) => code !== 0) ?? 0;
const lines = outcomeLines(readReports(), exitCode, (performance.now() - began) / 1000);
process.stdout.write(`\n${lines.join('\n')}\n`);
process.exitCode = exitCode;

/** Resolves with nx's exit code. */
function runLane(args: readonly string[]): Promise<number> {
  const colour = process.stdout.isTTY ? { FORCE_COLOR: '1' } : {};
  const child = spawn(NX, ['run-many', '-t', 'test', '--output-style=static', ...args], {
    stdio: ['inherit', 'pipe', 'inherit'],
    env: { NODE_COMPILE_CACHE: COMPILED, ...process.env, ...colour, TEST_REPORTS: reports },
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
