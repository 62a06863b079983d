/**
 * nx's output, which prints each project as a whole once it has ended, below a line "> nx run <project>:test". If the
 * project passed, its output is shortened to one line; otherwise it is passed on.
 */
export class NxOutput {
  readonly #shortened: (project: string) => string | undefined;
  readonly #print: (text: string) => void;
  #project: string | undefined;
  #lines: string[] = [];
  #rest = '';

  constructor(shortened: (project: string) => string | undefined, print: (text: string) => void) {
    this.#shortened = shortened;
    this.#print = print;
  }

  write(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#line(line);
  }

  end(): void {
    if (this.#rest !== '') this.#line(this.#rest);
    this.#rest = '';
    this.#flush();
  }

  #line(line: string): void {
    // eslint-disable-next-line no-control-regex -- nx and vitest colour what they print for a terminal
    const plain = line.replaceAll(/\x1b\[[\d;]*m/g, '').trim();
    const project = /^> nx run (\S+):test$/.exec(plain)?.[1];
    // A project's output ends where the next one's begins, or at nx's summary.
    if (project !== undefined || /^NX\b/.test(plain)) {
      this.#flush();
      this.#project = project;
    }
    this.#lines.push(line);
  }

  #flush(): void {
    const short = this.#project === undefined ? undefined : this.#shortened(this.#project);
    const lines = short === undefined ? this.#lines : [short];
    if (lines.some((line) => line.trim() !== '')) this.#print(`${lines.join('\n')}\n`);
    this.#lines = [];
    this.#project = undefined;
  }
}
