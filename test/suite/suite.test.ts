import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, globSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, test } from 'vitest';
import { NxOutput } from './nx-output.ts';
import { commandOf, outcomeLines, passedLine, reasonOf, type ProjectReport } from './outcome.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const FIXTURE = fileURLToPath(new URL('fixture', import.meta.url));

/** Runs the fixture's tests as a project of `npm test`. */
async function runFixture(environment: NodeJS.ProcessEnv = {}) {
  const reports = mkdtempSync(join(tmpdir(), 'embedmill-suite-'));
  try {
    const child = spawn(process.execPath, [join(ROOT, 'node_modules/vitest/vitest.mjs'), 'run'], {
      cwd: FIXTURE,
      env: { ...process.env, EMBEDMILL_SEED: '', ...environment, TEST_REPORTS: reports },
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
    await once(child, 'close');
    const [name] = readdirSync(reports);
    const report = JSON.parse(readFileSync(join(reports, name!), 'utf8')) as ProjectReport;
    return { code: child.exitCode, report: { ...report, project: '@embedmill/fixture' }, output };
  } finally {
    rmSync(reports, { recursive: true, force: true });
  }
}

let ran: Awaited<ReturnType<typeof runFixture>>;
let lines: string[];
beforeAll(async () => {
  ran = await runFixture();
  lines = outcomeLines([ran.report], ran.code ?? 1, 522.4);
});

test('the last line counts passed, failed and skipped tests, with the reasons', () => {
  expect(ran.code).toBe(1);
  expect(lines.at(-1)).toBe(
    'tests: 1 passed, 3 failed, 5 skipped (2 no store, 1 no helm here, 1 there is no openssl, ' +
      '1 without a reason), in 8 min 42 s',
  );
});

test('each failure is listed above it, with its message and the command that runs it alone', () => {
  const text = lines.join('\n');
  expect(text).toContain(
    '✗ @embedmill/fixture: all-kinds.fixture.ts > fails (by 1 + 1)\n' +
      '    the sum: expected 2 to be 3 // Object.is equality\n' +
      "    run it again: npm test -w @embedmill/fixture -- all-kinds.fixture.ts -t 'fails \\(by 1 \\+ 1\\)'\n",
  );
  expect(text).toContain(
    '✗ @embedmill/fixture: unreadable.fixture.ts\n    this file cannot be loaded\n' +
      '    run it again: npm test -w @embedmill/fixture -- unreadable.fixture.ts\n',
  );
});

test('a project prints its failures and nothing else', () => {
  expect(ran.output).toContain('fails (by 1 + 1)');
  expect(ran.output).not.toContain('passes');
});

test('a failing property prints its seed and path, and fails the same way when run with that seed', async () => {
  const property = (report: ProjectReport) => report.failures.find(({ names }) => names.length === 2)!;
  const said = /\{ seed: (-?\d+), path: "[\d:]+", endOnFailure: true \}\nCounterexample: .*/;
  const [before, seed] = said.exec(property(ran.report).messages[0]!)!;
  expect(lines.join('\n')).toContain(
    `    run it again: EMBEDMILL_SEED=${seed} npm test -w @embedmill/fixture -- all-kinds.fixture.ts ` +
      "-t 'numbers a property fails, and isn’t what it’s said to be'",
  );
  const again = await runFixture({ EMBEDMILL_SEED: seed! });
  expect(said.exec(property(again.report).messages[0]!)![0]).toBe(before);
});

test('a seed that is not an integer is refused', async () => {
  const { code, report } = await runFixture({ EMBEDMILL_SEED: 'lucky' });
  expect(code).toBe(1);
  expect(report.failures[0]?.messages[0]).toBe('EMBEDMILL_SEED is lucky; it must be a whole number');
});

const GREEN: ProjectReport = { project: 'a', ended: true, passed: 2, failures: [], skips: [], seconds: {} };

test('counts are summed over projects, and without skipped tests there are no reasons', () => {
  expect(outcomeLines([GREEN, { ...GREEN, project: 'b', passed: 3 }], 0, 59.9)).toEqual([
    'tests: 5 passed, 0 failed, 0 skipped, in 0 min 59 s',
  ]);
});

test('a project that was killed or could not start is a failure', () => {
  const killed = outcomeLines([GREEN, { ...GREEN, project: 'b', ended: false, passed: 0 }], 1, 1);
  expect(killed).toEqual([
    '✗ b: its tests did not finish; run: npm test -w b',
    'tests: 2 passed, 1 failed, 0 skipped, in 0 min 1 s',
  ]);
  expect(outcomeLines([GREEN], 1, 1).at(-1)).toBe('tests: 2 passed, 1 failed, 0 skipped, in 0 min 1 s');
});

test('of nx’s output, passing projects become one line each, and others are passed on', () => {
  const printed: string[] = [];
  const short = new Map([['a', passedLine({ ...GREEN, skips: [{ names: ['x'], note: undefined }] })]]);
  const output = new NxOutput(
    (project) => short.get(project),
    (text) => printed.push(text),
  );
  output.write(' NX   Running 2 projects\n\n> nx run a:test\n\n> vitest run\n Tests 2');
  output.write(' passed\n> nx run \x1b[1mb:test\x1b[0m\nwrong\n\n NX   Ran target');
  output.end();
  expect(printed.join('')).toBe(
    ' NX   Running 2 projects\n\n✓ a: 2 passed, 1 skipped\n> nx run \x1b[1mb:test\x1b[0m\nwrong\n\n NX   Ran target\n',
  );
  expect(passedLine({ ...GREEN, ended: false })).toBeUndefined();
  expect(passedLine({ ...GREEN, failures: [{ file: 'f', names: [], messages: [] }] })).toBeUndefined();
});

test.each([
  [undefined, ['skipped: no postgres', 'a job'], 'no postgres'],
  [undefined, ['PostgreSQL (skipped: no postgres)', 'a job (skipped without openssl)'], 'no openssl'],
  ['no adapter here', ['on WebGPU (skipped without fp32)'], 'no adapter here'],
  [undefined, ['jobs that are skipped are counted'], 'without a reason'],
])('the reason of a skip: %s, %j', (note, names, reason) => {
  expect(reasonOf({ note, names })).toBe(reason);
});

test('the command for a name with a quote works in a shell', () => {
  expect(commandOf('p', 'a.test.ts', ["it's"], '')).toBe("npm test -w p -- a.test.ts -t 'it'\\''s'");
});

test('all projects run their tests this way', () => {
  const { workspaces } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    workspaces: string[];
  };
  const folders = workspaces.flatMap((pattern) => globSync(join(ROOT, pattern, 'package.json'))).map(dirname);
  expect(folders.length).toBeGreaterThan(20);
  for (const folder of folders) {
    const { scripts } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
      scripts?: Record<string, string>;
    };
    if (scripts?.['test'] === undefined) continue;
    const config = join(folder, 'vitest.config.mjs');
    expect(existsSync(config), `${config} is there, as libs/jobs has it`).toBe(true);
    expect(readFileSync(config, 'utf8'), config).toContain('export default projectTests(');
    // Vitest would use it instead of the other.
    expect(existsSync(join(folder, 'vitest.config.ts')), `${folder} has vitest.config.mjs alone`).toBe(false);
  }
});
