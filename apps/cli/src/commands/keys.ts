import { chmodSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { InvalidArgumentError, type Command } from 'commander';
import {
  apiKeysSchema,
  newApiKey,
  SCOPES,
  scopeSchema,
  wantedKeySchema,
  type Scope,
  type WantedKey,
} from '@embedmill/jobs';
import type { CommandHost, Context } from '../command-host.ts';
import { CommandError, EXIT, usageError, type ExitCode } from '../exit.ts';
import { integerBetween } from '../options/option-values.ts';
import { oneLine, table } from '../terminal/text.ts';

interface CreateOptions {
  name: string;
  scopes: Scope[];
  tenant?: string;
  collections?: string[];
  rate?: number;
  concurrency?: number;
  expires?: string;
  onServer?: boolean;
  file?: string;
  mode?: number;
}

const MOST = 1_000_000;

export function addKeys(program: Command, host: CommandHost): void {
  const keys = program.command('keys').description('manage API keys, for operators of a server');
  addCreate(keys, host);
  addList(keys, host);
  addRevoke(keys, host);
}

function addCreate(keys: Command, host: CommandHost): void {
  keys
    .command('create')
    .description('create a key; it is printed once, and only its hash is kept')
    .requiredOption('--name <name>', 'its name in the audit log')
    .requiredOption('--scopes <list>', `what it may do, separated by commas: ${SCOPES.join(', ')}`, scopesOf)
    .option('--tenant <name>', 'the only tenant it can access')
    .option('--collections <list>', 'the only collections it can access, separated by commas', listOf)
    .option('--rate <n>', 'requests per second', integerBetween(1, MOST))
    .option('--concurrency <n>', 'concurrent requests', integerBetween(1, MOST))
    .option('--expires <date>', 'expiry date, such as 2027-01-31')
    .option(
      '--on-server',
      'create it on the running server (needs an admin’s key); every replica accepts it within seconds',
    )
    .option('--file <path>', 'the keys file to add it to; created if missing')
    .option(
      '--mode <octal>',
      'mode of that file; by default unchanged, or 600 (only you) for a new file; use 644 if a container reads it as another user',
      permissionsOf,
    )
    .action(({ rate, expires, file, mode, onServer, ...rest }: CreateOptions) =>
      host.run(async (context) => {
        if (onServer === true && (file !== undefined || mode !== undefined))
          throw usageError('--on-server keeps the key with the server; leave out --file and --mode');
        const said = {
          name: rest.name,
          scopes: rest.scopes,
          tenant: rest.tenant,
          collections: rest.collections,
          requestsPerSecond: rate,
          concurrency: rest.concurrency,
          expires: expires === undefined ? undefined : instantOf(expires),
        };
        const parsed = wantedKeySchema.safeParse(JSON.parse(JSON.stringify(said)));
        if (!parsed.success) throw usageError(whatIsWrong(parsed.error.issues));
        return onServer === true
          ? createOnServer(parsed.data, context)
          : createHere(parsed.data, { file, mode }, context);
      }),
    );
}

/** Creates the key on the server, which stores the hash. */
async function createOnServer(wanted: WantedKey, { terminal, client }: Context): Promise<ExitCode> {
  const made = await client().keys.create(wanted);
  if (terminal.json) terminal.printJson(made);
  terminal.print(made.key);
  terminal.note('It is shown only once. The server accepts it immediately, its replicas within seconds.');
  return EXIT.ok;
}

/** Adds the hash to a keys file, or prints the entry for one. */
function createHere(
  wanted: WantedKey,
  { file, mode }: { file: string | undefined; mode: number | undefined },
  { terminal }: Context,
): ExitCode {
  const { key, id, hash } = newApiKey();
  const entry = { ...wanted, id, hash };
  if (file !== undefined) addTo(file, entry, mode);
  if (terminal.json) terminal.printJson({ key, entry, file: file ?? null });
  terminal.print(key);
  terminal.note('It is shown only once. Send it as "Authorization: Bearer …", or set EMBEDMILL_KEY to it.');
  if (file === undefined) {
    terminal.note('Add this to the list in the server’s EMBEDMILL_API_KEYS_FILE:');
    terminal.note(JSON.stringify(entry));
  } else {
    terminal.note(
      `Its hash was added to ${file}; a server that reads the file accepts it within a few seconds.`,
    );
  }
  return EXIT.ok;
}

function addList(keys: Command, host: CommandHost): void {
  keys
    .command('list')
    .description('list the keys of the running server (needs an admin’s key)')
    .action(() =>
      host.run(async ({ terminal, client }) => {
        const found = await client().keys.list();
        if (terminal.json) terminal.printJson({ keys: found });
        const rows = found.map(({ id, name, scopes, tenant = '', expires = '', keptIn }) => [
          ...[id, oneLine(name), scopes.join(','), oneLine(tenant), expires, keptIn],
        ]);
        const head = ['id', 'name', 'scopes', 'tenant', 'expires', 'kept in'];
        for (const line of table([head, ...rows])) terminal.print(line);
        return EXIT.ok;
      }),
    );
}

function addRevoke(keys: Command, host: CommandHost): void {
  keys
    .command('revoke')
    .description('revoke a key that was created on the running server (needs an admin’s key)')
    .argument('<id>', 'the 12 characters after em_')
    .action((id: string) =>
      host.run(async ({ terminal, client }) => {
        await client().keys.revoke(id);
        if (terminal.json) terminal.printJson({ revoked: id });
        terminal.print(`the key ${id} is revoked; replicas refuse it within seconds`);
        return EXIT.ok;
      }),
    );
}

/** Adds an entry to a keys file. It writes a temporary file first, so that no server reads half of it. */
function addTo(path: string, entry: object, wanted: number | undefined): void {
  const parsed = apiKeysSchema.safeParse([...entriesOf(path), entry]);
  if (!parsed.success) throw new CommandError(`${path}: ${whatIsWrong(parsed.error.issues)}`);
  try {
    const before = statSync(path, { throwIfNoEntry: false });
    const mode = wanted ?? (before === undefined ? 0o600 : before.mode & 0o777);
    writeFileSync(`${path}.new`, `${JSON.stringify(parsed.data, null, 2)}\n`, { mode: 0o600 });
    // The umask may reduce the mode of a new file.
    chmodSync(`${path}.new`, mode);
    renameSync(`${path}.new`, path);
  } catch (error) {
    throw new CommandError(`${path} cannot be written: ${(error as Error).message}`);
  }
}

function entriesOf(path: string): unknown[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw new CommandError(`${path} cannot be read: ${(error as Error).message}`);
  }
  const value = parsedJson(text);
  if (Array.isArray(value)) return value;
  throw new CommandError(`${path} is not a keys file: it must be a JSON list; nothing was changed`);
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function whatIsWrong(issues: readonly { path: PropertyKey[]; message: string }[]): string {
  return issues.map(({ path, message }) => [...path.map(String), message].join(': ')).join('; ');
}

function permissionsOf(given: string): number {
  if (!/^0?[0-7]{3}$/.test(given)) throw new InvalidArgumentError('Write it like 644.');
  return parseInt(given, 8);
}

/** A date means its end, in UTC. */
function instantOf(given: string): string {
  const date = new Date(/^\d{4}-\d\d-\d\d$/.test(given) ? `${given}T23:59:59.999Z` : given);
  if (Number.isNaN(date.getTime()))
    throw usageError(`--expires is not a date: ${given}; write it like 2027-01-31`);
  return date.toISOString();
}

function scopesOf(given: string): Scope[] {
  return listOf(given).map((name) => {
    const scope = scopeSchema.safeParse(name);
    if (scope.success) return scope.data;
    throw new InvalidArgumentError(`Choose from ${SCOPES.join(', ')}.`);
  });
}

function listOf(given: string): string[] {
  return given.split(',').flatMap((one) => one.trim() || []);
}
