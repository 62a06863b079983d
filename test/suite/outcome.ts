/** The results of all projects' tests, as `npm test` prints them at its end. */

export interface Failure {
  /** Relative to the project; empty for an error outside any file. */
  file: string;
  /** The names of its suites and its own; empty for a file that could not be run. */
  names: string[];
  messages: string[];
}

export interface Skip {
  names: string[];
  /** The reason that the test gave when it skipped itself. */
  note: string | undefined;
}

export interface ProjectReport {
  project: string;
  /** False if it was killed. */
  ended: boolean;
  passed: number;
  failures: Failure[];
  skips: Skip[];
  /** Seconds by file. */
  seconds: Record<string, number>;
}

const SHOWN_OF_A_MESSAGE = 200;

/** The failures, each with the command that runs it again, and a last line of counts. */
export function outcomeLines(reports: readonly ProjectReport[], exitCode: number, seconds: number): string[] {
  const sum = (count: (report: ProjectReport) => number): number =>
    reports.reduce((total, report) => total + count(report), 0);
  const lines = reports.flatMap((report) => failureLines(report));
  let failed = sum(({ failures }) => failures.length) + reports.filter(({ ended }) => !ended).length;
  if (failed === 0 && exitCode !== 0) {
    lines.push('✗ a project’s tests could not run or exited with an error; see above');
    failed = 1;
  }
  const passed = sum((report) => report.passed);
  const skips = reports.flatMap((report) => report.skips);
  const why = skips.length === 0 ? '' : ` (${reasons(skips)})`;
  const took = `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
  return [...lines, `tests: ${passed} passed, ${failed} failed, ${skips.length} skipped${why}, in ${took}`];
}

/** The line that replaces a project's output if no test failed; otherwise undefined. */
export function passedLine({ project, ended, passed, failures, skips }: ProjectReport): string | undefined {
  if (!ended || failures.length > 0) return undefined;
  return `✓ ${project}: ${passed} passed${skips.length === 0 ? '' : `, ${skips.length} skipped`}`;
}

/** "12 no EMBEDMILL_SHARED, 3 no helm here". */
function reasons(skips: readonly Skip[]): string {
  const counts = new Map<string, number>();
  for (const skip of skips) {
    const reason = reasonOf(skip);
    counts.set(reason, (counts.get(reason) ?? 0) + 1);
  }
  const most = [...counts].sort(([, a], [, b]) => b - a);
  return most.map(([reason, count]) => `${count} ${reason}`).join(', ');
}

/** The reason that a test gave, or that is in its name or its suites' names: "(skipped: no helm here)". */
export function reasonOf({ names, note }: Skip): string {
  if (note !== undefined) return note;
  for (const name of names.toReversed()) {
    const found = /\(skipped(: | without )(.*)\)$|^skipped(: )(.*)$/s.exec(name);
    if (found?.[1] === ' without ') return `no ${found[2] ?? ''}`;
    if (found !== null) return found[2] ?? found[4] ?? name;
  }
  return 'without a reason';
}

function failureLines({ project, ended, failures }: ProjectReport): string[] {
  const lines = failures.flatMap(({ file, names, messages }) => [
    `✗ ${project}: ${[file, ...names].filter((part) => part !== '').join(' > ') || 'outside any test'}`,
    ...messages.map((message) => `    ${firstLine(message)}`),
    `    run it again: ${commandOf(project, file, names, messages.join('\n'))}`,
  ]);
  if (!ended) lines.push(`✗ ${project}: its tests did not finish; run: npm test -w ${project}`);
  return lines;
}

/** The command that runs one test, with the same seed if fast-check reported one. */
export function commandOf(project: string, file: string, names: readonly string[], message: string): string {
  const seed = /\bseed: (-?\d+)/.exec(message)?.[1];
  const command = ['npm test -w', project];
  if (file !== '') command.push('--', file);
  if (names.length > 0) {
    const pattern = names.join(' ').replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&');
    command.push('-t', `'${pattern.replaceAll("'", `'\\''`)}'`);
  }
  return `${seed === undefined ? '' : `EMBEDMILL_SEED=${seed} `}${command.join(' ')}`;
}

function firstLine(message: string): string {
  const line = message.split('\n', 1)[0] ?? '';
  return line.length > SHOWN_OF_A_MESSAGE ? `${line.slice(0, SHOWN_OF_A_MESSAGE)}…` : line;
}
