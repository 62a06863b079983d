import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { childEnvironment, EmbedmillError, MOST_FILE_BYTES } from '@embedmill/jobs';
import { fault, type FileToParse, type ParsedDocument } from './parsed-document.ts';
import { USUAL_LIMITS, type FromProcess, type ParsingLimits, type ToProcess } from './process-messages.ts';

/** By the clock, a file may take so many times what it may take of the processor, besides the process's start. */
const PATIENCE = 10;
const STARTING_SECONDS = 60;
/** Starts of a process for one file: one may be killed, as by the system, before it has the file. */
const STARTS = 3;
/** How V8 says so as it ends a process. */
const OUT_OF_MEMORY = 'out of memory';
/** Of what a process says on its way out, so many characters are kept. */
const MOST_SAID = 16_384;

interface Running {
  child: ChildProcess;
  /** Resolves to how it ended, as a text. */
  ended: Promise<string>;
}

/**
 * Parses files in a process of its own, one after another. The process is started with the first file, kept for those that
 * follow, and killed once what it does is not certain any more: after a file that went beyond a limit or had its thread
 * die. So a file is only ever given to a process that is well, and one that ends with a file ended of that file. `close`
 * ends it.
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

  /** Errors: those of `ParsingFault`, `payload_too_large`; `internal` where no process starts. */
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

  /** What a process makes of a file; `unbegun` where it ended before it had the file. */
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
    // For a process whose own guard hangs.
    const seconds = STARTING_SECONDS + PATIENCE * this.#limits.seconds;
    const isLate = setTimeout(() => {
      const message = `the file was not parsed within ${seconds} s`;
      resolve({ kind: 'failed', code: 'parsing_limit', message, isLast: true });
    }, seconds * 1000);
    child.on('message', onMessage);
    try {
      const message: ToProcess = { file, limits: this.#limits };
      // What cannot be sent has nobody to receive it: `ended` says so.
      child.send(message, () => undefined);
      const answer = await Promise.race([answered, ended]);
      if (typeof answer !== 'string') {
        if (answer.kind === 'failed' && answer.isLast) this.close();
        return answer;
      }
      this.close();
      if (!hasBegun) return { kind: 'unbegun', how: answer };
      // V8 ends the whole process where it can grant a thread no more memory, and does not always have it throw.
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
