import { renameSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Reporter, TestCase, TestModule, TestSuite, Vitest } from 'vitest/node';
import type { Failure, ProjectReport, Skip } from './outcome.ts';

type SerializedErrors = Parameters<NonNullable<Reporter['onTestRunEnd']>>[1];

/** A vitest reporter that writes the results of a project's tests into a folder, as one JSON file. */
export class Recorder implements Reporter {
  readonly #folder: string;
  readonly #project: string;
  #root = '';

  constructor(folder: string, project: string) {
    this.#folder = folder;
    this.#project = project;
  }

  onInit(vitest: Vitest): void {
    this.#root = vitest.config.root;
    // This remains if the project is killed.
    this.#write({ ended: false, passed: 0, failures: [], skips: [], seconds: {} });
  }

  onTestRunEnd(modules: readonly TestModule[], unhandled: SerializedErrors): void {
    let passed = 0;
    const failures: Failure[] = [];
    const skips: Skip[] = [];
    const seconds: Record<string, number> = {};
    for (const module of modules) {
      const file = relative(this.#root, module.moduleId);
      seconds[file] = Math.round(module.diagnostic().duration / 100) / 10;
      const fail = (names: string[], errors: readonly { message: string }[]): void => {
        if (errors.length > 0) failures.push({ file, names, messages: errors.map(({ message }) => message) });
      };
      fail([], module.errors());
      for (const suite of module.children.allSuites()) fail(namesOf(suite), suite.errors());
      for (const test of module.children.allTests()) {
        const result = test.result();
        if (result.state === 'passed') passed += 1;
        else if (result.state === 'skipped') skips.push({ names: namesOf(test), note: result.note });
        else fail(namesOf(test), result.errors?.length ? result.errors : [{ message: 'it did not finish' }]);
      }
    }
    if (unhandled.length > 0) {
      failures.push({ file: '', names: [], messages: unhandled.map(({ message }) => message) });
    }
    this.#write({ ended: true, passed, failures, skips, seconds });
  }

  #write(report: Omit<ProjectReport, 'project'>): void {
    const path = join(this.#folder, `${this.#project.replaceAll(/\W+/g, '-')}.json`);
    // Atomically, because it may be read at any time.
    writeFileSync(`${path}.new`, JSON.stringify({ project: this.#project, ...report }));
    renameSync(`${path}.new`, path);
  }
}

/** The names of its suites, followed by its own. */
function namesOf(one: TestCase | TestSuite): string[] {
  return one.parent.type === 'module' ? [one.name] : [...namesOf(one.parent), one.name];
}
