import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { childEnvironment, EmbedmillError } from '@embedmill/jobs';
import { fault, type FileToParse, type ParsedDocument } from './parsed-document.ts';
import { USUAL_LIMITS, type FromProcess, type ParsingLimits, type ToProcess } from './process-messages.ts';

/** A larger file is not read: it is copied to its parser, and mostly is no document. */
export const MOST_FILE_BYTES = 128 * 1024 * 1024;
/** How long the process may be silent beyond its own limit. */
const GRACE_MS = 5000;

/**
 * Parses files in a process of its own, one after another. The process is started with the first file, kept for those that
 * follow, and started anew after one that ended it; `close` ends it.
 */
export class Parser {
  readonly #entry: URL;
  readonly #limits: ParsingLimits;
  #child: ChildProcess | undefined;
  #last: Promise<unknown> = Promise.resolve();

  /** `entry` is a module that calls `serveParsing`. */
  constructor(entry: URL, limits: ParsingLimits = USUAL_LIMITS) {
    this.#entry = entry;
    this.#limits = limits;
  }

  /** Errors: those of `ParsingFault`, `payload_too_large`. */
  parse(file: FileToParse): Promise<ParsedDocument> {
    const parsed = this.#last.then(() => this.#parse(file));
    this.#last = parsed.catch(() => undefined);
    return parsed;
  }

  close(): void {
    this.#child?.kill('SIGKILL');
    this.#child = undefined;
  }

  async #parse(file: FileToParse, isAgain = false): Promise<ParsedDocument> {
    if (file.bytes.length > MOST_FILE_BYTES) {
      const message = `it has ${file.bytes.length} bytes, and a document may have ${MOST_FILE_BYTES}; split it`;
      throw new EmbedmillError('payload_too_large', message);
    }
    const child = (this.#child ??= this.#start());
    const { promise, resolve } = Promise.withResolvers<FromProcess | undefined>();
    const onExit = (): void => resolve(undefined);
    const silent = setTimeout(() => child.kill('SIGKILL'), this.#limits.seconds * 1000 + GRACE_MS);
    child.on('message', resolve).on('exit', onExit).on('error', onExit);
    try {
      const message: ToProcess = { file, limits: this.#limits };
      child.send(message, (error) => error && onExit());
      const answer = await promise;
      if (answer?.ok === true) return answer.parsed;
      // Whatever else comes of it is not of the next file.
      if (answer === undefined || answer.code === 'parsing_limit') this.close();
      if (answer === undefined) {
        // It may have ended of the file before.
        if (!isAgain) return await this.#parse(file, true);
        throw fault('document_unreadable', 'its parser ended while it read the file');
      }
      throw new EmbedmillError(answer.code, answer.message);
    } finally {
      clearTimeout(silent);
      child.off('message', resolve).off('exit', onExit).off('error', onExit);
    }
  }

  #start(): ChildProcess {
    const child = fork(fileURLToPath(this.#entry), [], {
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      env: childEnvironment(process.env),
      execArgv: [],
    });
    child.once('exit', () => {
      if (this.#child === child) this.#child = undefined;
    });
    child.on('error', () => undefined);
    return child;
  }
}
