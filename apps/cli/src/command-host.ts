/** The context and the end of a command: every action of the command line runs through here once. */
import { resolve } from 'node:path';
import { asEmbedmillError, EmbedmillError } from '@embedmill/jobs';
import { createClient, EmbedmillError as ServerError, type Client } from '@embedmill/client';
import { readConfig, type Config } from './config.ts';
import { readUpFile } from './stack/data-folder.ts';
import { CommandError, EXIT, type ExitCode } from './exit.ts';
import type { Cause, Interruption } from './stack/interruption.ts';
import { Terminal, type Output } from './terminal/terminal.ts';

/** The options of every command. */
export interface GlobalOptions {
  json?: boolean;
  url?: string;
  apiKey?: string;
  data?: string;
}

export interface Surroundings {
  out: Output;
  err: Output;
  environment: NodeJS.ProcessEnv;
  interruption: Interruption;
}

export interface Context {
  config: Config;
  environment: NodeJS.ProcessEnv;
  terminal: Terminal;
  interruption: Interruption;
  /** The address of a server, and where it was configured; undefined if none is known. */
  address(): { url: string; from: string } | undefined;
  /** The address of the running server. Throws a `CommandError` if none is known. */
  serverUrl(): string;
  /** A client of the running server. Throws a `CommandError` if none is known. */
  client(): Client;
}

export class CommandHost {
  exitCode: ExitCode = EXIT.ok;
  readonly #surroundings: Surroundings;
  readonly #options: () => GlobalOptions;

  constructor(surroundings: Surroundings, options: () => GlobalOptions) {
    this.#surroundings = surroundings;
    this.#options = options;
  }

  async run(work: (context: Context) => Promise<ExitCode>): Promise<void> {
    const { interruption } = this.#surroundings;
    const terminal = this.#terminal();
    try {
      this.exitCode = await work(this.#context(terminal));
    } catch (thrown) {
      this.exitCode = interruption.by === undefined ? exitCodeOf(thrown) : exitCodeBy(interruption.by);
      if (interruption.by === undefined) report(thrown, terminal);
    }
  }

  #terminal(): Terminal {
    const { out, err, environment } = this.#surroundings;
    const noColor = (environment['NO_COLOR'] ?? '') !== '' || environment['TERM'] === 'dumb';
    return new Terminal(out, err, { json: this.#options().json === true, noColor });
  }

  #context(terminal: Terminal): Context {
    const { interruption, environment } = this.#surroundings;
    const options = this.#options();
    const fromEnvironment = readConfig(environment);
    const config = {
      ...fromEnvironment,
      ...(options.apiKey !== undefined && { key: options.apiKey }),
      ...(options.data !== undefined && { dataDir: resolve(options.data) }),
    };
    const running = () => {
      const url = readUpFile(config.dataDir)?.url;
      return url === undefined ? undefined : { url, from: `the data folder ${config.dataDir}` };
    };
    const address: Context['address'] = () => {
      if (options.url !== undefined) return { url: options.url, from: '--url' };
      if (options.data !== undefined) return running();
      return config.url === undefined ? running() : { url: config.url, from: 'EMBEDMILL_URL' };
    };
    const serverUrl = (): string => {
      const found = address();
      if (found !== undefined) return found.url;
      throw new CommandError(
        `no embedmill runs on the data folder ${config.dataDir}; start one with "npx embedmill up", ` +
          'or give the address of one with --url or EMBEDMILL_URL',
      );
    };
    return {
      config,
      environment,
      terminal,
      interruption,
      address,
      serverUrl,
      client: () => createClient({ url: serverUrl(), apiKey: config.key, signal: interruption.signal }),
    };
  }
}

/** A closed output pipe is not a failure. */
function exitCodeBy(cause: Cause): ExitCode {
  return cause === 'reader gone' ? EXIT.ok : EXIT.interrupted;
}

function exitCodeOf(thrown: unknown): ExitCode {
  return thrown instanceof CommandError ? thrown.exitCode : EXIT.failed;
}

function report(thrown: unknown, terminal: Terminal): void {
  const isServers = thrown instanceof ServerError;
  const expected = isServers || thrown instanceof CommandError || thrown instanceof EmbedmillError;
  const message = isServers ? explained(thrown) : asEmbedmillError(thrown).message;
  const stack = !expected && thrown instanceof Error ? `\n${thrown.stack ?? ''}` : '';
  terminal.warn(`${terminal.styleProgress('red', 'error:')} ${message}${stack}`);
  if (!terminal.json) return;
  const code = isServers || thrown instanceof EmbedmillError ? thrown.code : undefined;
  terminal.printJson({ error: { ...(code !== undefined && { code }), message } });
}

/** The server's message with all faults, and what to do. */
function explained({ message, code, details }: ServerError): string {
  const all = details.length > 1 ? details.map(({ path, message }) => `\n  ${path}: ${message}`) : [];
  if (code === 'unauthenticated') all.push('\nSet EMBEDMILL_KEY to your key, or pass it with --api-key.');
  if (code === 'unreachable') all.push('; start one with: npx embedmill up');
  return [message, ...all].join('');
}
