import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { childEnvironment, EmbedmillError, MOST_FILE_BYTES } from '@embedmill/jobs';
import { fault, type FileToParse, type ParsedDocument } from './parsed-document.ts';
import { USUAL_LIMITS, type FromProcess, type ParsingLimits, type ToProcess } from './process-messages.ts';

/** The wall-clock limit of a file as a multiple of its CPU limit, without the process's start. */
const PATIENCE = 10;
const STARTING_SECONDS = 60;
/** The attempts to start a process for one file; the system may kill one before it receives the file. */
const STARTS = 3;
/** V8's message when it ends a process for lack of memory. */
const OUT_OF_MEMORY = 'out of memory';
/** The number of characters kept of a dying process's output. */
const MOST_SAID = 16_384;

interface Running {
  child: ChildProcess;
  /** Resolves to a description of how it ended. */
  ended: Promise<string>;
}

/**
 * Parses files one after another in a separate process. The process starts with the first file, is reused for the next
 * ones, and is killed once its state is uncertain: after a file that exceeded a limit or crashed its thread. So only a
 * healthy process is given a file, and if it dies, that file is the cause. `close` ends it.
 */
export class Parser {
  readonly #entry: URL;
  readonly #limits: ParsingLimits;
  #running: Running | undefined;
  #last: Promise<unknown> = Promise.resolve();

  /** `entry` is a module that calls `serveParsing`. */
  constructor(entry: URL, limits: ParsingLimits = USUAL_LIMITS) {
    this.#entry = entry;
    this.#limits = limits;
  }

  /** Errors: those of `ParsingFault`, `payload_too_large`; `internal` if no process starts. */
  parse(file: FileToParse): Promise<ParsedDocument> {
    const parsed = this.#last.then(() => this.#parse(file));
    this.#last = parsed.catch(() => undefined);
    return parsed;
  }

  close(): void {
    this.#running?.child.kill('SIGKILL');
    this.#running = undefined;
  }

  async #parse(file: FileToParse): Promise<ParsedDocument> {
    if (file.bytes.length > MOST_FILE_BYTES) {
      const message = `it has ${file.bytes.length} bytes, but a document may have at most ${MOST_FILE_BYTES}; split it`;
      throw new EmbedmillError('payload_too_large', message);
    }
    let ended = '';
    for (let starts = 0; starts < STARTS; starts += 1) {
      const running = (this.#running ??= this.#start());
      const answer = await this.#ask(running, file);
      if (answer.kind === 'parsed') return answer.parsed;
      if (answer.kind === 'failed') throw new EmbedmillError(answer.code, answer.message);
      ended = answer.how;
    }
    throw new EmbedmillError('internal', `the parsing process does not start: ${ended}`);
  }

  /** The process's result for a file; `unbegun` if it ended before it received the file. */
  async #ask(
    { child, ended }: Running,
    file: FileToParse,
  ): Promise<Exclude<FromProcess, { kind: 'began' }> | { kind: 'unbegun'; how: string }> {
    let hasBegun = false;
    const { promise: answered, resolve } = Promise.withResolvers<Exclude<FromProcess, { kind: 'began' }>>();
    const onMessage = (message: FromProcess): void => {
      if (message.kind === 'began') hasBegun = true;
      else resolve(message);
    };
    // In case the process's own guard hangs.
    const seconds = STARTING_SECONDS + PATIENCE * this.#limits.seconds;
    const isLate = setTimeout(() => {
      const message = `the file was not parsed within ${seconds} s`;
      resolve({ kind: 'failed', code: 'parsing_limit', message, isLast: true });
    }, seconds * 1000);
    child.on('message', onMessage);
    try {
      const message: ToProcess = { file, limits: this.#limits };
      // Sending fails only if the process has ended, which `ended` reports.
      child.send(message, () => undefined);
      const answer = await Promise.race([answered, ended]);
      if (typeof answer !== 'string') {
        if (answer.kind === 'failed' && answer.isLast) this.close();
        return answer;
      }
      this.close();
      if (!hasBegun) return { kind: 'unbegun', how: answer };
      // If a thread runs out of memory, V8 sometimes ends the whole process instead of throwing in the thread.
      if (answer.includes(OUT_OF_MEMORY))
        throw fault(
          'parsing_limit',
          `parsing the file takes more than ${this.#limits.memoryMB / 2} MB of memory`,
        );
      throw fault('document_unreadable', `its parser ended while it parsed the file: ${answer}`);
    } finally {
      clearTimeout(isLate);
      child.off('message', onMessage);
    }
  }

  #start(): Running {
    const child = fork(fileURLToPath(this.#entry), [], {
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: childEnvironment(process.env),
      execArgv: [],
    });
    const { promise: ended, resolve } = Promise.withResolvers<string>();
    child.on('error', (error) => resolve(error.message));
    let said = '';
    child.stderr?.setEncoding('utf8').on('data', (some: string) => (said = (said + some).slice(-MOST_SAID)));
    child.once('close', (code, signal) => {
      if (this.#running?.child === child) this.#running = undefined;
      const [, reason] = /^FATAL ERROR: (.*)/m.exec(said) ?? [];
      resolve([signal ?? `exit code ${code}`, reason].filter((one) => one !== undefined).join(', '));
    });
    return { child, ended };
  }
}
