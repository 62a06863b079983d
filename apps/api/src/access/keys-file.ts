import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import { apiKeysSchema, EmbedmillError } from '@embedmill/jobs';
import type { Log } from '@embedmill/logs';
import { KnownKeys } from './known-keys.ts';

/** How often the file is looked at. By its time and size, not by events: those are lost where a file is exchanged as a
 * whole, as Kubernetes does with secrets. */
const LOOK_MS = 2000;

/**
 * The keys of a file, which is watched until `close`. An invalid version is logged and the previous one stays in effect, so
 * that a typing error locks nobody out. At startup there is no previous version, so it is an error.
 */
export class KeysFile {
  #keys: KnownKeys;
  readonly #path: string;
  readonly #log: Pick<Log, 'info' | 'error'>;
  readonly #look = () => this.#reread();

  /** Errors: `invalid_config`, with the fault of the file. */
  constructor(path: string, log: Pick<Log, 'info' | 'error'>, lookMs = LOOK_MS) {
    this.#path = path;
    this.#log = log;
    this.#keys = readKeys(path);
    watchFile(path, { interval: lookMs, persistent: false }, this.#look);
  }

  get keys(): KnownKeys {
    return this.#keys;
  }

  close(): void {
    unwatchFile(this.#path, this.#look);
  }

  #reread(): void {
    try {
      this.#keys = readKeys(this.#path);
      this.#log.info({ keys: this.#keys.size }, 'reloaded the keys file');
    } catch (error) {
      this.#log.error({ err: error }, 'the keys file cannot be used; keeping the previous keys');
    }
  }
}

function readKeys(path: string): KnownKeys {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    const reason = error instanceof SyntaxError ? 'it is not JSON' : (error as Error).message;
    throw unusable(path, reason, error);
  }
  const parsed = apiKeysSchema.safeParse(value);
  if (parsed.success) return new KnownKeys(parsed.data);
  const found = parsed.error.issues.map(({ path: at, message }) => `${at.map(String).join('/')}: ${message}`);
  throw unusable(path, found.join('; '));
}

function unusable(path: string, why: string, cause?: unknown): EmbedmillError {
  const message = `EMBEDMILL_API_KEYS_FILE: ${path} cannot be used: ${why}; "embedmill keys create" makes entries`;
  return new EmbedmillError('invalid_config', message, { cause });
}
